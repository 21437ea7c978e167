// Fake of Hive Keychain 3.15: injected late, requests numbered from 1, answers by message. `window.standIn` holds its
// next answers and the requests received.
(() => {
  const standIn = (window.standIn = {
    answers: [],
    asked: [],
    delay: 0,
    handshake: true,
    answer(request, said) {
      const { request_id: id, ...data } = request;
      const response = { success: false, error: null, result: null, message: "", data, request_id: id, ...said };
      setTimeout(() => window.postMessage({ type: "hive_keychain_response", response }, location.origin), this.delay);
    },
  });

  let open = null;
  document.addEventListener("swHandshake_hive", () => {
    if (standIn.handshake) window.postMessage({ type: "hive_keychain_handshake" }, location.origin);
  });
  document.addEventListener("swRequest_hive", ({ detail }) => {
    standIn.asked.push(detail);
    if (open) standIn.answer(open, { error: "ignored", message: "User ignored this transaction" });
    open = detail;
    const said = standIn.answers.shift();
    if (said === undefined || said === "silent") return;
    for (const one of [said].flat()) standIn.answer({ ...detail, ...one.request }, one);
    open = null;
  });

  const inject = () => {
    const keychain = {
      current_id: 1,
      requests: {},
      handshake_callback: null,
      requestHandshake(callback) {
        this.handshake_callback = callback;
        this.dispatch("swHandshake_hive", {});
      },
      requestCustomJson(username, id, method, json, display_msg, callback, rpc) {
        this.dispatch("swRequest_hive", { type: "custom", username, id, method, json, display_msg, rpc }, callback);
      },
      requestTransfer(username, to, amount, memo, currency, callback, enforce = false, rpc) {
        this.dispatch("swRequest_hive", { type: "transfer", username, to, amount, memo, enforce, currency, rpc }, callback);
      },
      dispatch(name, data, callback) {
        this.requests[this.current_id] = callback;
        document.dispatchEvent(new CustomEvent(name, { detail: { request_id: this.current_id, ...data } }));
        this.current_id += 1;
      },
    };
    window.hive_keychain = keychain;
    window.addEventListener("message", (event) => {
      if (event.source !== window) return;
      if (event.data.type === "hive_keychain_response") {
        const { response } = event.data;
        const listener = keychain.requests[response.request_id];
        if (listener) {
          listener(response);
          delete keychain.requests[response.request_id];
        }
      } else if (event.data.type === "hive_keychain_handshake") {
        keychain.handshake_callback?.();
      }
    });
  };
  if (window.keychainAfter !== null) {
    document.addEventListener("DOMContentLoaded", () => setTimeout(inject, window.keychainAfter ?? 300));
  }
})();
