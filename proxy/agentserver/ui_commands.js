(() => {
  "use strict";
  // Canvas finds the remote and the branch of a workspace by a command over a socket that runs commands on the host and shows
  // those of everybody, so there is none here. To the page this looks like that socket; each command becomes a call of the API,
  // which runs it as that of the conversation in whose folder it starts.
  const path = "/sockets/bash-events";
  const real = window.WebSocket;
  const { CONNECTING, OPEN, CLOSED } = real;

  class Commands extends EventTarget {
    readyState = CONNECTING;
    bufferedAmount = 0;
    extensions = "";
    protocol = "";
    binaryType = "blob";
    onopen = null;
    onmessage = null;
    onerror = null;
    onclose = null;
    #aborted = new AbortController();
    static #refused = new Set(); // folders in which commands are forbidden: asking again and again would not help

    constructor(url) {
      super();
      this.url = url;
      queueMicrotask(() => {
        if (this.readyState !== CONNECTING) return;
        this.readyState = OPEN;
        this.#tell(new Event("open"));
      });
    }

    send(text) {
      if (this.readyState !== OPEN) throw new DOMException("The socket is not open.", "InvalidStateError");
      const { command, cwd, timeout } = JSON.parse(text);
      if (command) this.#run({ command, cwd, timeout });
    }

    close() {
      if (this.readyState === CLOSED) return;
      this.readyState = CLOSED;
      this.#aborted.abort();
      this.#tell(new CloseEvent("close", { code: 1000, wasClean: true }));
    }

    async #run(order) {
      const id = crypto.randomUUID?.() ?? String(Math.random());
      this.#say({ kind: "BashCommand", id, ...order });
      try {
        if (Commands.#refused.has(order.cwd)) throw new Error("forbidden");
        const answer = await fetch("/api/bash/execute_bash_command", {
          method: "POST", body: JSON.stringify(order), signal: this.#aborted.signal,
          headers: { "Content-Type": "application/json", "X-Session-API-Key": window.__AGENT_CANVAS_SESSION_API_KEY__ },
        });
        const said = await answer.json();
        if (answer.status === 403) Commands.#refused.add(order.cwd);
        if (!answer.ok) throw new Error(String(said.detail));
        this.#say({ ...said, kind: "BashOutput", command_id: id, exit_code: said.exit_code ?? -1 });
      } catch (fault) {
        this.#say({ kind: "BashError", code: "Refused", detail: String(fault.message) });
      }
    }

    #say(event) {
      if (this.readyState === OPEN) this.#tell(new MessageEvent("message", { data: JSON.stringify(event) }));
    }

    #tell(event) {
      this["on" + event.type]?.(event);
      this.dispatchEvent(event);
    }
  }

  window.WebSocket = new Proxy(real, {
    construct(target, [address, ...rest], maker) {
      const { host, pathname } = new URL(address, location.href);
      if (host === location.host && pathname === path) return new Commands(String(address));
      return Reflect.construct(target, [address, ...rest], maker);
    },
  });
})();
