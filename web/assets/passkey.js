// Has the browser answer for a passkey, and sends the answer with the form that asked for it. The forms stay hidden without this
// script, and where the browser knows no passkeys.
(() => {
  "use strict";
  if (!window.PublicKeyCredential) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (keys) => (keys || []).map((key) => ({ ...key, id: bytes(key.id) }));

  // What was asked comes as JSON; the browser wants its texts as bytes.
  const question = (asked) => {
    const ready = { ...asked, challenge: bytes(asked.challenge) };
    if (asked.user) ready.user = { ...asked.user, id: bytes(asked.user.id) };
    if (asked.excludeCredentials) ready.excludeCredentials = listed(asked.excludeCredentials);
    if (asked.allowCredentials) ready.allowCredentials = listed(asked.allowCredentials);
    return ready;
  };

  const answer = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = text(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id, rawId: text(credential.rawId), type: credential.type, response,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
    });
  };

  const ask = async (form) => {
    const res = await fetch(form.dataset.asking, { method: "POST", headers: { Accept: "application/json" } });
    const asked = await res.json();
    if (res.status === 403 && asked.detail === "STEP_UP_REQUIRED") {
      location.assign("/account/step-up?return=" + encodeURIComponent(location.pathname));
      return;
    }
    if (!res.ok) throw new Error(typeof asked.detail === "string" ? asked.detail : "That did not work. Try again.");
    const publicKey = question(asked.options.publicKey);
    const credential = await navigator.credentials[form.dataset.passkey]({ publicKey });
    form.elements.ceremony.value = asked.ceremony;
    form.elements.credential.value = answer(credential);
    form.submit();
  };

  const excuse = (error) =>
    error.name === "InvalidStateError" ? "This device has a passkey for you already." :
    error.name === "NotAllowedError" ? "No passkey was used: it was cancelled, or took too long. Try again." : error.message;

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const fault = form.querySelector(".fault");
      fault.hidden = true;
      try {
        await ask(form);
      } catch (error) {
        fault.textContent = excuse(error);
        fault.hidden = false;
      }
    });
  }
})();
