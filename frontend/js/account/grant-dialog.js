// Dialog for a grant: enables or changes one-click trading, or lets a trading bot trade for the account. It shows the
// sentence that the wallet will show, so it is its own review.

import { read } from "../data/api.js";
import { chainTime, POSTING } from "../data/grants.js";
import { LiveAccount } from "../data/live-account.js";
import { readMarks } from "../data/marks.js";
import { subscribe } from "../data/stream.js";
import { button, el, setText } from "../lib/dom.js";
import { openFormDialog } from "../lib/widgets.js";
import { grantDialog as strings } from "../strings/one-click.js";
import { IntentError } from "../wallet/intent-checks.js";
import { grant, MAX_GRANTS } from "../wallet/grant-intents.js";
import { choiceOf, choose } from "../wallet/one-click-choice.js";
import { provider } from "../wallet/provider.js";
import { review } from "../wallet/review-dialog.js";
import { GrantForm } from "./grant-form.js";

/**
 * @param {any} venue the body of /api/venue
 * @param {string} account
 * @param {{to?: string, old?: any, pair?: {base: string, quote: string}}} [about] `to`: POSTING, or a bot; missing for
 *   a new bot. `old`: the grant that it replaces, a row of /api/grants. `pair`: the one chosen first
 */
export async function openGrantDialog(venue, account, { to, old = null, pair } = {}) {
  const isPosting = to === POSTING;
  const facts = await readFacts(venue, account);
  const form = new GrantForm({ venue, facts, old, pair, to }, () => refresh());
  const skip = el("input", { type: "checkbox", id: "grant-skip", checked: !old || choiceOf(account).skipsReview });
  const sentence = el("p", { className: "sentence" });
  const preview = el("div", {}, el("p", { className: "small muted" }, strings.sign), sentence);
  const note = el("p", { className: "hint bad", role: "alert" });

  /** The draft; null with the errors shown. */
  function readDraft() {
    form.clearErrors();
    setText(note, "");
    try {
      const terms = form.terms();
      return terms && grant(venue, account, terms, chainTime() / 1000);
    } catch (error) {
      if (!(error instanceof IntentError)) throw error;
      if (!form.showError(error.field, error.message)) setText(note, error.message);
      return null;
    }
  }

  function refresh() {
    const draft = readDraft();
    preview.hidden = !draft;
    if (draft) setText(sentence, draft.message);
  }

  async function submit(event) {
    event.preventDefault();
    const draft = readDraft();
    if (!draft) {
      form.focusFirstError();
      return;
    }
    const isNew = !facts.given.some((row) => row.to === draft.about.to);
    if (isNew && facts.given.length >= MAX_GRANTS) {
      setText(note, strings.tooMany(MAX_GRANTS));
      return;
    }
    dialog.close();
    if (isPosting) choose(account, { isOn: true, skipsReview: skip.checked, ref: draft.ref, asked: Date.now(), until: "", ended: "", problem: "", isPaused: false });
    const isPassed = await review(draft, { isReviewed: true });
    if (!isPassed && isPosting) choose(account, { asked: 0 });
  }

  const [first, second, risk] = isPosting ? strings.explain : strings.explainBot;
  const title = isPosting ? (old ? strings.change : strings.enable) : to ? strings.changeBot(to) : strings.bot;
  const dialog = openFormDialog("grant", title, {
    describedBy: "grant-explanation",
    onsubmit: submit,
    body: [
      el("div", { className: "explanation", id: "grant-explanation" }, el("p", {}, first), el("p", {}, second), el("p", {}, el("strong", {}, risk))),
      ...form.nodes,
      isPosting && el("div", { className: "check" }, skip, el("label", { htmlFor: "grant-skip" }, strings.skip)),
      isPosting && !old && provider() === "keychain" && el("p", { className: "small muted" }, strings.prompt),
      preview,
      note,
    ],
    footer: [
      button(strings.back, () => dialog.close(), { className: "button" }),
      el("button", { type: "submit", className: "button main" }, old ? strings.submitChange : isPosting ? strings.submitEnable : strings.submitBot),
    ],
  });
  refresh();
  form.focus();
  if (!old) followFunds(account, form, dialog);
}

// A first deposit, or the funds of a new practice account, may arrive while the dialog is open. Only then the stream
// begins anew, with a snapshot.
function followFunds(account, form, dialog) {
  if (form.isFunded()) return;
  const live = new LiveAccount(account);
  const subscription = subscribe([`account:${account}`], ({ kind, data }) => {
    if (kind !== "snapshot" && kind !== "change") return;
    const isOurs = (data.accounts ?? []).some((part) => live.apply(kind, part));
    const funds = live.funds();
    if (!isOurs || !funds?.length) return;
    form.setBalances(funds);
    if (form.isFunded()) subscription.close();
  });
  dialog.addEventListener("close", () => subscription.close());
}

/** What the defaults are made of; without an answer there are none. */
async function readFacts(venue, account) {
  const [balances, marks, grants] = await Promise.all([
    read("balances", { user: account }).catch(() => ({ balances: [] })),
    readMarks(venue).catch(() => new Map()),
    read("grants", { user: account }).catch(() => ({ given: [] })),
  ]);
  return { balances: balances.balances, marks, given: grants.given };
}
