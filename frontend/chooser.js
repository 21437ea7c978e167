// The dialog in which a reader names an account. Nothing is signed: a name is enough to look.

import { readVenue } from "./api.js";
import { make } from "./dom.js";
import { account, choose, isAccount } from "./session.js";
import { chooser as words } from "./strings.js";
import { detect, provider } from "./wallet.js";

const KEYCHAIN = "https://hive-keychain.com/";

/** Open the dialog. */
export function openChooser() {
  const now = account();
  const hint = make("p", { className: "hint", id: "chooser-hint" }, words.hint);
  const input = make("input", {
    className: "text",
    id: "chooser-name",
    name: "username",
    value: now ?? "",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: "18",
    "aria-describedby": "chooser-hint",
  });
  const field = make(
    "div",
    { className: "field" },
    make("label", { htmlFor: "chooser-name" }, words.name),
    input,
    hint,
  );
  const dialog = make("dialog", { "aria-labelledby": "chooser-title" });
  const wallet = make("div", { className: "walletline small", role: "status" });
  showWallet(wallet, () => dialog.close());

  function submit(event) {
    event.preventDefault();
    const name = input.value.trim().replace(/^@/, "").toLowerCase();
    if (!isAccount(name)) {
      field.classList.add("wrong");
      hint.textContent = words.wrong;
      hint.classList.add("bad");
      input.setAttribute("aria-invalid", "true");
      input.focus();
      return;
    }
    choose(name);
    dialog.close();
  }

  async function forget() {
    if (provider() === "practice") (await import("./practice.js")).stop();
    else choose(null);
    dialog.close();
  }

  dialog.append(
    make(
      "header",
      {},
      make("h2", { id: "chooser-title" }, words.title),
      make(
        "button",
        { type: "button", className: "icon", "aria-label": words.close, onclick: () => dialog.close() },
        "×",
      ),
    ),
    make(
      "form",
      { onsubmit: submit },
      make("div", { className: "body" }, field, wallet),
      make(
        "footer",
        {},
        now && make("button", { type: "button", className: "plain", onclick: forget }, words.forget),
        now && make("a", { className: "button", href: "portfolio.html" }, words.portfolio),
        make("button", { type: "submit", className: "button main" }, words.use),
      ),
    ),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.select();
}

// Which wallet would sign, and on a devnet the practice wallet: it is offered nowhere else.
async function showWallet(place, done) {
  const venue = await readVenue().catch(() => null);
  if (provider() === "practice") {
    place.append(make("span", {}, words.practising));
    return;
  }
  if (venue?.network === "devnet") place.append(practiceButton(done));
  const state = await detect();
  const text = make("span", { className: state === "ready" ? "ok" : "muted" }, words.keychain[state]);
  place.append(text);
  if (state === "missing")
    place.append(make("a", { href: KEYCHAIN, rel: "noopener", target: "_blank" }, words.install));
}

function practiceButton(done) {
  const note = make("p", { className: "muted" }, words.practiceHint);
  const button = make(
    "button",
    {
      type: "button",
      className: "button wide",
      onclick: async () => {
        button.disabled = true;
        try {
          await (await import("./practice.js")).start();
          done();
        } catch (error) {
          note.textContent = error.message;
          note.className = "bad";
          button.disabled = false;
        }
      },
    },
    words.practice,
  );
  return make("div", { className: "practice" }, button, note);
}
