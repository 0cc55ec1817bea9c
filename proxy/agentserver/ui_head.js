(() => {
  "use strict";
  // Canvas asks for a key before it talks to its own host. This one opens nothing: the browser's cookie does.
  const placeholder = "cookie";
  window.__AGENT_CANVAS_SESSION_API_KEY__ = placeholder;
  window.__AGENT_CANVAS_DO_NOT_TRACK__ = true;

  try {
    localStorage.setItem("openhands-onboarded", "1");
    // Five failed calls, for instance before a sign-in, would keep the backend switched off for ever.
    localStorage.removeItem("openhands-backend-health");
    const name = "openhands-agent-server-config";
    const kept = JSON.parse(localStorage.getItem(name) || "null");
    if (kept && kept.sessionApiKey !== undefined && kept.sessionApiKey !== placeholder) {
      localStorage.setItem(name, JSON.stringify({ ...kept, sessionApiKey: placeholder }));
    }
  } catch {
    // Storage is off or holds nonsense: Canvas copes by itself.
  }

  // Canvas stays where it is when its session has ended; people need the sign-in page then. A key that somebody typed in for a
  // backend of their own may be refused as well: that is theirs to see.
  const ask = window.fetch;
  let leaving = false;
  window.fetch = async (...args) => {
    const answer = await ask.apply(window, args);
    if (answer.status === 401 && !leaving && ours(answer.url) && !typedIn(args)) {
      leaving = true;
      const here = location.pathname + location.search + location.hash;
      location.assign("/account/login?return=" + encodeURIComponent(here));
    }
    return answer;
  };

  // ours leaves out the question who is signed in: "nobody" is an answer to it.
  function ours(address) {
    const { origin, pathname } = new URL(address, location.href);
    if (origin !== location.origin || pathname.startsWith("/api/auth/users/")) return false;
    return pathname.startsWith("/api/") || pathname === "/server_info";
  }

  function typedIn([input, options]) {
    const headers = new Headers((options && options.headers) || (input && input.headers) || {});
    const key = headers.get("X-Session-API-Key");
    return key !== null && key !== placeholder;
  }
})();
