(() => {
  "use strict";
  // Who may only read a conversation finds an explanation in the place of the box to write in: Canvas would show a message that
  // was not taken as being sent, for minutes. The answers with conversations say which may only be read.
  const sheet = document.createElement("style");
  sheet.textContent = `
    html[data-reads-only] [data-testid="interactive-chat-box"] > :first-child { display: none; }
    html[data-reads-only] [data-testid="interactive-chat-box"]::before {
      content: "Your role in this team lets you read this conversation, but not write to it."; display: block; padding: 14px 16px;
      color: #d4d6dc; background: #232529; border: 1px solid #46484f; border-radius: 12px; font-size: 14px;
    }`;
  document.head.append(sheet);

  const readOnly = new Set();
  const idIn = (text) => (/^\/conversations\/([0-9a-f-]{32,36})(?:\/|$)/i.exec(text) || [])[1];
  const plain = (id) => id.toLowerCase().replaceAll("-", "");

  // Called for every answer of the API: what was asked for and is not in the header may be written to.
  function learn({ url, ok, headers }) {
    const { origin, pathname, searchParams } = new URL(url, location.href);
    if (!ok || origin !== location.origin || !pathname.startsWith("/api/conversations")) return;
    const one = idIn(pathname.slice("/api".length).replace(/\/$/, ""));
    const asked = pathname === "/api/conversations" ? searchParams.getAll("ids") : one && pathname.endsWith(one) ? [one] : [];
    if (asked.length === 0) return;
    asked.forEach((id) => readOnly.delete(plain(id)));
    for (const id of (headers.get("X-OpenHands-Read-Only") || "").split(",")) if (id) readOnly.add(plain(id));
    show();
  }

  function show() {
    const id = idIn(location.pathname);
    document.documentElement.toggleAttribute("data-reads-only", id !== undefined && readOnly.has(plain(id)));
  }

  const ask = window.fetch;
  window.fetch = async (...args) => {
    const answer = await ask.apply(window, args);
    learn(answer);
    return answer;
  };
  // The page goes from one conversation to the next without loading.
  for (const name of ["pushState", "replaceState"]) {
    const go = history[name];
    history[name] = function (...args) {
      go.apply(this, args);
      show();
    };
  }
  addEventListener("popstate", show);
})();
