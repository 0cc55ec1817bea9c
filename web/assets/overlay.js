// A small pill in the corner of the Canvas page: who is signed in, for which team, in which role, and the way out.
// It lives in a shadow root of its own and knows nothing of the page around it.
(() => {
  "use strict";

  const style = `
    :host { all: initial; position: fixed; right: 12px; bottom: 6px; z-index: 2147483000; }
    * { box-sizing: border-box; font: 500 12px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
    button, a { color: inherit; cursor: pointer; }
    .pill {
      display: flex; align-items: center; gap: 6px; height: 26px; max-width: min(220px, 60vw); padding: 0 10px 0 5px;
      color: #d4d6dc; background: #232529; border: 1px solid #46484f; border-radius: 13px;
    }
    .pill:hover, .pill[aria-expanded="true"] { color: #fff; background: #2e3036; }
    .face {
      flex: none; display: grid; place-items: center; width: 16px; height: 16px; border-radius: 50%;
      color: #17181b; background: #cfb755; font-size: 10px; font-weight: 700; text-transform: uppercase;
    }
    .face.nobody { background: #8d9098; }
    .text { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
    .card {
      position: absolute; right: 0; bottom: 34px; width: 250px; max-width: calc(100vw - 24px); padding: 14px;
      color: #ececee; background: #232529; border: 1px solid #46484f; border-radius: 12px; box-shadow: 0 8px 28px rgb(0 0 0 / .5);
    }
    .card[hidden] { display: none; }
    .card p { margin: 0; overflow-wrap: anywhere; }
    .card .name { font-size: 14px; font-weight: 600; }
    .card .quiet { color: #a6a9b1; font-weight: 400; }
    dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 12px; margin: 12px 0; }
    dt { color: #a6a9b1; font-weight: 400; }
    dd { margin: 0; overflow-wrap: anywhere; }
    .out {
      display: block; width: 100%; margin-top: 12px; padding: 7px 10px; text-align: center; text-decoration: none;
      color: #ececee; background: transparent; border: 1px solid #73767f; border-radius: 8px; font-size: 13px;
    }
    .out:hover { background: #34363c; }
    .out:disabled, .other:disabled { opacity: .6; cursor: default; }
    .teams { display: grid; gap: 4px; max-height: 40vh; margin: 4px 0 0; padding: 0; overflow: auto; list-style: none; }
    .other {
      display: block; width: 100%; padding: 6px 10px; text-align: left; overflow-wrap: anywhere;
      color: #ececee; background: transparent; border: 1px solid #46484f; border-radius: 8px;
    }
    .other:hover { background: #34363c; }
    .fault { margin-top: 8px !important; color: #ff9d92; }
    :focus-visible { outline: 2px solid #7fb0ff; outline-offset: 2px; }
    @media print { :host { display: none; } }
  `;

  // make builds an element from a tag, its properties and its children; text is always text.
  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  const wait = (ms) => new Promise((done) => setTimeout(done, ms));

  // read gives the answer's JSON and the current team, null for "not signed in", and undefined when nothing can be known now.
  async function read(path) {
    for (const pause of [0, 1000, 4000]) {
      await wait(pause);
      try {
        const answer = await fetch(path, { headers: { Accept: "application/json" } });
        if (answer.status === 401 || answer.status === 403) return null;
        if (answer.ok) return { body: await answer.json(), team: answer.headers.get("X-Team-Id") };
      } catch {
        // The network or the server is away: once more.
      }
    }
    return undefined;
  }

  class Overlay extends HTMLElement {
    #root = this.attachShadow({ mode: "closed" });
    #pill;
    #card;

    connectedCallback() {
      if (this.#pill) return;
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      this.#root.adoptedStyleSheets = [sheet];
      this.#load();
    }

    async #load() {
      const user = await read("/api/auth/users/me");
      if (user === undefined) return; // better no pill than a wrong one
      if (user === null) {
        tell(null);
        return this.#show(this.#anonymous());
      }
      const teams = await read("/api/teams/");
      if (teams) tell(teams.body.find((one) => one.id === teams.team) ?? null);
      this.#show(this.#signedIn(user.body, teams ? teams.body : [], teams && teams.team));
    }

    #anonymous() {
      return {
        label: "Anonymous", face: "", title: "You are not signed in",
        body: [
          make("p", { className: "name" }, "Anonymous"),
          make("p", { className: "quiet" }, "Everybody without an account works in this space together."),
          make("a", { className: "out", href: "/account/login?return=" + encodeURIComponent(location.pathname + location.search) }, "Sign in"),
        ],
      };
    }

    #signedIn(user, teams, current) {
      const team = teams.find((one) => one.id === current);
      const body = [make("p", { className: "name" }, user.name || user.email)];
      if (user.name) body.push(make("p", { className: "quiet" }, user.email));
      if (team) {
        body.push(make("dl", {},
          make("dt", {}, "Team"), make("dd", { className: "team" }, team.name),
          make("dt", {}, "Role"), make("dd", { className: "role" }, capital(team.role))));
      }
      if (teams.length > 1) body.push(this.#chooser(teams.filter((other) => other.id !== current)));
      body.push(this.#signOut());
      const label = user.name || user.email;
      return { label: team && !team.is_personal ? label + " · " + team.name : label, face: label.slice(0, 1), title: "Signed in as " + user.email, body };
    }

    // The page's lists and new conversations are those of one team. Another one begins at the start page.
    #chooser(others) {
      const fault = make("p", { className: "fault", role: "alert", hidden: true });
      const list = make("ul", { className: "teams" }, ...others.map((team) => {
        const button = make("button", { type: "button", className: "other" }, "Switch to " + team.name);
        this.#acts(button, fault, "/api/teams/" + team.id + "/switch", "/");
        return make("li", {}, button);
      }));
      return make("div", {}, list, fault);
    }

    #signOut() {
      const fault = make("p", { className: "fault", role: "alert", hidden: true });
      const button = make("button", { type: "button", className: "out" }, "Sign out");
      this.#acts(button, fault, "/account/logout", "/account/login");
      return make("div", {}, button, fault);
    }

    // acts has a button send a POST and then leave the page.
    #acts(button, fault, path, next) {
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          const answer = await fetch(path, { method: "POST" });
          if (!answer.ok) throw new Error(String(answer.status));
          location.assign(next);
        } catch {
          button.disabled = false;
          fault.hidden = false;
          fault.textContent = "That did not work. Try again.";
        }
      });
    }

    #show({ label, face, title, body }) {
      this.#card = make("div", { className: "card", id: "card", hidden: true }, ...body);
      this.#card.setAttribute("role", "group");
      this.#card.setAttribute("aria-label", "Account");
      this.#pill = make("button", { type: "button", className: "pill", title },
        make("span", { className: face ? "face" : "face nobody", ariaHidden: "true" }, face || "?"),
        make("span", { className: "text" }, label));
      this.#pill.setAttribute("aria-expanded", "false");
      this.#pill.setAttribute("aria-controls", "card");
      this.#pill.addEventListener("click", () => this.#open(this.#card.hidden));
      this.#root.addEventListener("keydown", (event) => {
        event.stopPropagation(); // Canvas has shortcuts of its own
        if (event.key === "Escape") this.#open(false);
      });
      document.addEventListener("pointerdown", (event) => {
        if (!event.composedPath().includes(this)) this.#open(false, false);
      }, true);
      this.#root.append(this.#card, this.#pill);
    }

    #open(open, focus = true) {
      if (this.#card.hidden === !open) return;
      this.#card.hidden = !open;
      this.#pill.setAttribute("aria-expanded", String(open));
      if (!focus) return;
      (open ? this.#card.querySelector("button, a") : this.#pill).focus();
    }
  }

  // tell says to what else lies over the page for which team one acts.
  function tell(team) {
    dispatchEvent(new CustomEvent("openhands-account", { detail: { team } }));
  }

  function capital(word) {
    return String(word).slice(0, 1).toUpperCase() + String(word).slice(1);
  }

  customElements.define("openhands-account", Overlay);
  const attach = () => {
    if (!document.querySelector("openhands-account")) document.body.append(document.createElement("openhands-account"));
  };
  attach();
  // React may replace the whole body when it takes the page over.
  new MutationObserver(attach).observe(document.documentElement, { childList: true });
})();
