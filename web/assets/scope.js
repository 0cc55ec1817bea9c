// On Canvas's settings pages: whose settings they edit, one's own or the team's, for those who keep the team's. It is told by the
// account's pill who that is, and leaves the choice itself to the script in the page's head, which puts it into the requests.
(() => {
  "use strict";
  const scope = window.openhandsScope;
  if (!scope) return;

  const style = `
    :host { all: initial; }
    * { box-sizing: border-box; font: 500 12px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
    .frame { position: fixed; inset: 0; z-index: 2147482990; border: 3px solid #e0a800; pointer-events: none; }
    .bar {
      position: fixed; right: 12px; bottom: 38px; z-index: 2147482995; max-width: min(360px, calc(100vw - 24px));
      display: flex; flex-wrap: wrap; align-items: center; gap: 4px 8px; padding: 6px 8px 6px 12px; border-radius: 15px;
      color: #ececee; background: #232529; border: 1px solid #46484f; box-shadow: 0 4px 14px rgb(0 0 0 / .4);
    }
    .bar.team { color: #17181b; background: #f2c230; border-color: #f2c230; }
    .told { margin: 0; overflow-wrap: anywhere; }
    .team .told { font-weight: 700; }
    .choice { display: flex; flex-wrap: wrap; gap: 6px; }
    button {
      padding: 3px 10px; color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 11px; cursor: pointer;
    }
    button[aria-pressed="true"] { color: #17181b; background: #ececee; border-color: #ececee; font-weight: 700; cursor: default; }
    .team button[aria-pressed="true"] { color: #f2c230; background: #17181b; border-color: #17181b; }
    :focus-visible { outline: 2px solid #7fb0ff; outline-offset: 2px; }
    .team :focus-visible { outline-color: #17181b; }
    @media print { :host { display: none; } }
  `;

  let team; // that one acts for and keeps; null: none, undefined: not known yet

  class Scope extends HTMLElement {
    #root = this.attachShadow({ mode: "closed" });
    #draws = () => this.#draw();

    connectedCallback() {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(style);
      this.#root.adoptedStyleSheets = [sheet];
      this.#root.addEventListener("keydown", unheard);
      scope.changed.addEventListener("move", this.#draws);
      scope.changed.addEventListener("team", this.#draws);
      this.#draw();
    }

    disconnectedCallback() {
      scope.changed.removeEventListener("move", this.#draws);
      scope.changed.removeEventListener("team", this.#draws);
    }

    // What is being edited is told even where it is not known yet by what name.
    #draw() {
      const editing = scope.team();
      if (!scope.here() || !(team || editing)) return this.#root.replaceChildren();
      const name = team ? team.name : "your team";
      const told = element("p", { className: "told" }, editing ? "Editing the settings of " + name + ", for everybody in it:" : "Editing:");
      told.setAttribute("role", "status");
      const bar = element("div", { className: editing ? "bar team" : "bar" }, told, this.#choice(editing));
      bar.setAttribute("role", "group");
      bar.setAttribute("aria-label", "Whose settings these pages edit");
      this.#root.replaceChildren(...(editing ? [element("div", { className: "frame" })] : []), bar);
    }

    #choice(editing) {
      const own = button("my own settings", !editing, () => scope.choose(null));
      const teams = button("the team's settings", Boolean(editing), () => scope.choose(team.id));
      if (team) teams.title = "Defaults of " + team.name + ": they count for all members who set nothing else";
      return element("div", { className: "choice" }, own, teams);
    }
  }

  // What was chosen before counts only for a team that one still acts for and keeps.
  addEventListener("openhands-account", ({ detail }) => {
    team = detail.team && detail.team.permissions.includes("settings:team") ? detail.team : null;
    if (scope.team() && scope.team() !== team?.id) return scope.choose(null);
    scope.changed.dispatchEvent(new Event("team"));
  });

  const unheard = (event) => event.stopPropagation(); // Canvas has shortcuts of its own

  function element(tag, properties, ...children) {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  }

  function button(text, pressed, choose) {
    const made = element("button", { type: "button" }, text);
    made.setAttribute("aria-pressed", String(pressed));
    if (!pressed) made.addEventListener("click", choose);
    return made;
  }

  customElements.define("openhands-scope", Scope);
  const attach = () => {
    if (!document.querySelector("openhands-scope")) document.body.append(document.createElement("openhands-scope"));
  };
  attach();
  // React may replace the whole body when it takes the page over.
  new MutationObserver(attach).observe(document.documentElement, { childList: true });
})();
