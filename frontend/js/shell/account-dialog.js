// Dialog that chooses the account to show. Nothing is signed: a name is enough to view an account.

import { readVenue } from "../data/api.js";
import { account, setAccount } from "../data/session.js";
import { accountName, isAccount } from "../lib/account-name.js";
import { button, el } from "../lib/dom.js";
import { showToast } from "../lib/toasts.js";
import { openFormDialog } from "../lib/widgets.js";
import { accountDialog as strings } from "../strings/account-dialog.js";
import { provider } from "../wallet/provider.js";
import { detect } from "../wallet/wallet.js";

const KEYCHAIN_URL = "https://hive-keychain.com/";

export function openAccountDialog() {
  const current = account();
  const hint = el("p", { className: "hint", id: "account-hint" }, strings.hint);
  const input = el("input", {
    className: "text",
    id: "account-name",
    name: "username",
    value: current ?? "",
    autocomplete: "username",
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: "18",
    "aria-describedby": "account-hint",
  });
  const field = el("div", { className: "field" }, el("label", { htmlFor: "account-name" }, strings.name), input, hint);
  const wallet = el("div", { className: "small", role: "status" });

  function submit(event) {
    event.preventDefault();
    const name = accountName(input.value);
    if (!isAccount(name)) {
      field.classList.add("wrong");
      hint.textContent = strings.invalid;
      hint.classList.add("bad");
      input.setAttribute("aria-invalid", "true");
      input.focus();
      return;
    }
    setAccount(name);
    dialog.close();
  }

  async function signOut() {
    if (provider() === "practice") (await import("../wallet/practice-wallet.js")).stop();
    else setAccount(null);
    dialog.close();
  }

  const dialog = openFormDialog("account-dialog", strings.title, {
    onsubmit: submit,
    body: [field, wallet],
    footer: [
      current && button(strings.signOut, signOut, { className: "plain" }),
      current && el("a", { className: "button", href: "portfolio.html" }, strings.portfolio),
      el("button", { type: "submit", className: "button main" }, strings.use),
    ],
  });
  showWallet(wallet, () => dialog.close());
  input.select();
}

// Which wallet will sign; on a devnet also the button for a practice account.
async function showWallet(container, close) {
  if (provider() === "practice") {
    container.append(strings.practising);
    return;
  }
  const venue = await readVenue().catch(() => null);
  if (venue?.network === "devnet") container.append(practiceOffer(close));
  const state = await detect();
  container.append(el("span", { className: state === "ready" ? "ok" : "muted" }, strings.keychain[state]));
  if (state === "missing") container.append(el("a", { href: KEYCHAIN_URL, rel: "noopener", target: "_blank" }, strings.install));
}

function practiceOffer(close) {
  const note = el("p", { className: "muted" }, strings.practiceHint);
  const node = button(strings.practice, start, { className: "button wide" });
  async function start() {
    node.disabled = true;
    try {
      const name = await (await import("../wallet/practice-wallet.js")).start();
      close();
      showToast("practice", { kind: "ok", title: strings.practiceCreated(name), text: strings.practiceFunds, actions: [] });
    } catch (error) {
      note.textContent = error.message;
      note.className = "bad";
      node.disabled = false;
    }
  }
  return el("div", { className: "practice" }, node, note);
}
