(() => {
  "use strict";
  // The settings pages edit what is one's own, or what is the team's: this tab remembers which, and says so in the requests that those
  // pages make. Who may is the server's to decide. On every other page one's own counts, so leaving them forgets the team and loads the
  // page anew: Canvas keeps what it has read.
  const name = "openhands-scope"; // in this tab's storage, which no other site can write: the id of the team whose settings are edited
  const pages = /^\/(settings|mcp)(\/|$)/;
  const surface = /^\/api\/(settings|settings\/mcp\/.*|settings\/secrets(\/.*)?|(agent-)?profiles(\/.*)?|llm\/provider-connections(\/.*)?|workspaces(\/parents)?)$/;
  const changed = new EventTarget();

  const here = () => pages.test(location.pathname);
  let team = kept();

  function kept() {
    try {
      if (!here()) sessionStorage.removeItem(name);
      return sessionStorage.getItem(name);
    } catch {
      return null; // storage is off: one's own it is
    }
  }

  // choose takes null for one's own.
  function choose(id) {
    team = id;
    try {
      if (id) sessionStorage.setItem(name, id);
      else sessionStorage.removeItem(name);
    } catch {
      // Without storage nothing is remembered over the reload, so nothing changes.
    }
    location.reload();
  }

  function moved() {
    if (team && !here()) choose(null);
    changed.dispatchEvent(new Event("move"));
  }
  for (const method of ["pushState", "replaceState"]) {
    const real = history[method];
    history[method] = function (...args) {
      real.apply(this, args);
      moved();
    };
  }
  addEventListener("popstate", moved);

  const ask = window.fetch;
  window.fetch = async (input, options) => {
    if (!team || !here()) return ask.call(window, input, options);
    const request = new Request(input, options);
    const { origin, pathname } = new URL(request.url);
    if (origin !== location.origin || !surface.test(pathname) || (await preferences(request))) return ask.call(window, request);
    const key = request.headers.get("X-Session-API-Key");
    request.headers.set("X-OpenHands-Scope", "team");
    request.headers.set("X-Team-Id", team);
    const answer = ask.call(window, request);
    return request.method === "GET" && pathname === "/api/settings" ? withOwnPreferences(answer, key) : answer;
  };

  // preferences are everybody's own, whatever the page edits: the language, lists of skills that Canvas keeps unasked.
  async function preferences(request) {
    if (request.method !== "PATCH" || new URL(request.url).pathname !== "/api/settings") return false;
    try {
      const { misc_settings_diff: diff, ...rest } = await request.clone().json();
      return Object.keys(rest).length === 0 && Object.keys(diff).every((member) => member === "app_preferences");
    } catch {
      return false;
    }
  }

  async function withOwnPreferences(asked, key) {
    const headers = { Accept: "application/json", ...(key && { "X-Session-API-Key": key }), "X-Team-Id": team };
    const [answer, own] = await Promise.all([asked, ask.call(window, "/api/settings", { headers })]);
    if (!answer.ok || !own.ok) return answer;
    const [settings, mine] = await Promise.all([answer.json(), own.json()]);
    settings.misc_settings = { ...settings.misc_settings, app_preferences: mine.misc_settings?.app_preferences };
    return new Response(JSON.stringify(settings), { status: answer.status, headers: { "Content-Type": "application/json" } });
  }

  // What the switch on the page needs.
  window.openhandsScope = Object.freeze({ here, choose, changed, team: () => team });
})();
