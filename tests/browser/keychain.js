// Fake of Hive Keychain 3.15: injected late, requests numbered from 1, answers by message. `window.standIn` holds the
// requests received, and either its next answers, or the user at its window: `standIn.user`.
(() => {
  const OPEN = "standin.open"; // the extension outlives the page; a reloaded page can still get its answer
  const standIn = (window.standIn = {
    answers: [],
    asked: [],
    delay: 0,
    handshake: true,
    /** Whether the user answers, instead of `answers`. */
    hasUser: false,
    locked: false,
    /** "Do not prompt again" for the posting key: signs without a window. */
    whitelisted: false,
    silentMs: 600,
    /** What it has broadcast. */
    broadcast: [],
    answer(request, said) {
      const { request_id: id, ...data } = request;
      const response = { success: false, error: null, result: null, message: "", data, request_id: id, ...said };
      setTimeout(() => window.postMessage({ type: "hive_keychain_response", response }, location.origin), this.delay);
    },
  });

  // -- the user at the window --

  const load = () => JSON.parse(sessionStorage.getItem(OPEN) ?? "null");
  const save = (open) => sessionStorage.setItem(OPEN, JSON.stringify(open));
  const finish = (said) => {
    standIn.answer(load().request, said);
    save(null);
  };
  const txId = (request) => (request.request_id % 2 ** 32).toString(16).padStart(8, "0").repeat(5);
  const send = (request) => {
    standIn.broadcast.push(request);
    return { success: true, result: { tx_id: txId(request), id: txId(request), confirmed: false } };
  };
  standIn.user = {
    isAsked: () => load() !== null,
    unlock: () => { standIn.locked = false; },
    // The second of two requests at once cannot be signed.
    confirm: () => finish(load().isSecond ? { error: {}, message: "An error occured while signing the transaction" } : send(load().request)),
    closeWindow() {
      if (standIn.locked) save({ ...load(), isClosed: true }); // no answer, ever
      else finish({ error: "user_cancel", message: "Request was canceled by the user." });
    },
  };

  function take(request) {
    const before = load();
    if (before?.isClosed) standIn.answer(before.request, { error: "user_cancel", message: "Request was canceled by the user." });
    else if (before) standIn.answer(before.request, { error: "ignored", message: "User ignored this transaction" });
    const isSilent = standIn.whitelisted && !standIn.locked && request.method === "Posting";
    save({ request, isSecond: !isSilent && before !== null && !before.isClosed });
    if (!isSilent) return;
    setTimeout(() => {
      // One that another has replaced is broadcast all the same.
      if (load()?.request.request_id === request.request_id) finish(send(request));
      else send(request);
    }, standIn.silentMs);
  }

  // -- requests of the page --

  let open = null;
  document.addEventListener("swHandshake_hive", () => {
    if (standIn.handshake) window.postMessage({ type: "hive_keychain_handshake" }, location.origin);
  });
  document.addEventListener("swRequest_hive", ({ detail }) => {
    standIn.asked.push(detail);
    if (standIn.hasUser) {
      take(detail);
      return;
    }
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
