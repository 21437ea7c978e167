// State of one-click trading below the order ticket: what is left of today's allowance, and the cancel-all timer.

import { openGrantDialog } from "../account/grant-dialog.js";
import { chainTime, leftToday, LiveGrants, POSTING } from "../data/grants.js";
import { onAccount } from "../data/session.js";
import { grouped, plain, trimmed, units } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { dayAndTime, timeOfDay } from "../lib/format.js";
import { offlineTimer as timerStrings, oneClick as strings } from "../strings/one-click.js";
import { cancelAllAfter, revoke } from "../wallet/grant-intents.js";
import { HORIZON, keepTimerArmed } from "../wallet/offline-timer.js";
import { choiceOf, choose, onChoice } from "../wallet/one-click-choice.js";
import { settle } from "../wallet/one-click.js";
import { onChange } from "../wallet/pending.js";
import { review } from "../wallet/review-dialog.js";

const REFRESH_MS = 5000;
const MAX_PAIRS_SHOWN = 2;

export class OneClickPanel {
  /**
   * @param {HTMLElement} root the panel of the order ticket
   * @param {any} venue
   * @param {import("../lib/amounts.js").Market} pair
   */
  constructor(root, venue, pair) {
    Object.assign(this, { venue, pair });
    /** @type {LiveGrants|null} */
    this.grants = null;
    this.build();
    root.append(this.node);
    keepTimerArmed();
    onAccount((name) => this.setAccount(name));
    onChoice(() => this.render());
    onChange((_, changed) => this.onIntent(changed));
    setInterval(() => this.render(), REFRESH_MS); // midnight, and the end of the grant
  }

  setAccount(name) {
    if (this.name === name) return;
    this.name = name;
    this.grants?.close();
    this.grants = name ? new LiveGrants(name, () => this.render()) : null;
    this.render();
  }

  // The exchange may know better than this page what the grant covers.
  onIntent(changed) {
    if (!changed) return;
    if (changed.code === "E_GRANT" || changed.code === "E_AUTH") this.grants?.refresh();
    else this.render();
  }

  // -- actions --

  openDialog() {
    const old = this.grants?.to(POSTING) ?? null;
    return openGrantDialog(this.venue, this.name, { to: POSTING, old, pair: this.pair });
  }

  /** Nothing is signed with the posting key from here on, whatever becomes of the revoke. */
  stop() {
    choose(this.name, { isOn: false, cancelsOffline: false, until: "", ended: "", problem: "", isPaused: false });
    return review(revoke(this.venue, this.name, POSTING));
  }

  useHere() {
    const { grant, block } = this.grants.newest(POSTING); // the button is shown while there is one
    choose(this.name, { isOn: true, until: grant?.until ?? "", seen: block, ended: "", problem: "", isPaused: false });
  }

  chooseOffline() {
    const cancelsOffline = this.offline.checked;
    choose(this.name, { cancelsOffline, problem: "", isPaused: false });
    if (!cancelsOffline && this.timer()) this.disarm();
  }

  disarm() {
    return review(cancelAllAfter(this.venue, this.name, 0));
  }

  timer() {
    return this.grants?.timers.find(({ by, due }) => by === POSTING && Date.parse(due) > chainTime()) ?? null;
  }

  // -- display --

  build() {
    const plainButton = (text, run, attributes = {}) => button(text, run, { className: "plain", ...attributes });
    this.tag = el("span", { className: "tag", id: "one-click-state" });
    this.enable = button(strings.enable, () => this.openDialog(), { className: "button needs-signature", "aria-describedby": "one-click-title" });
    this.change = plainButton(strings.change, () => this.openDialog(), { className: "plain needs-signature" });
    this.stopButton = plainButton(strings.stop, () => this.stop(), { title: strings.stopTitle });
    this.hereButton = plainButton(strings.useHere, () => this.useHere(), { className: "button" });
    this.revokeButton = plainButton(strings.revoke, () => this.stop(), { className: "plain needs-signature", title: strings.stopTitle });
    this.note = el("p", { className: "note", role: "status" });
    this.left = el("dl", { className: "facts small", title: strings.leftTitle });
    this.terms = el("p", { className: "note" });
    this.skip = el("input", { type: "checkbox", id: "one-click-skip", onchange: () => choose(this.name, { skipsReview: this.skip.checked }) });
    this.offline = el("input", { type: "checkbox", id: "one-click-offline", onchange: () => this.chooseOffline(), "aria-describedby": "one-click-timer" });
    this.timerNote = el("span", { className: "note", id: "one-click-timer", role: "status" });
    this.timerRetry = plainButton(timerStrings.retry, () => choose(this.name, { problem: "", isPaused: false }));
    this.timerOff = plainButton(timerStrings.off, () => this.disarm(), { className: "plain needs-signature" });
    const check = (input, text, ...more) =>
      el("div", { className: "check" }, input, el("span", {}, el("label", { htmlFor: input.id }, text), ...more));
    this.options = el(
      "div",
      { className: "inner" },
      check(this.skip, strings.skip),
      check(this.offline, timerStrings.label, el("br"), this.timerNote, this.timerRetry, this.timerOff),
    );
    const title = el("h3", { id: "one-click-title" }, strings.title);
    this.idle = el("div", { className: "row" }, this.hereButton, this.revokeButton);
    this.node = el(
      "section",
      { className: "one-click", "aria-labelledby": "one-click-title", hidden: true },
      el("div", { className: "row" }, title, this.tag, el("span", { className: "spacer" }), this.enable, this.change, this.stopButton),
      this.note,
      this.idle,
      this.left,
      this.terms,
      this.options,
    );
  }

  /** @returns {"unknown"|"on"|"pending"|"idle"|"off"} */
  state() {
    const { grants } = this;
    if (!grants?.given) return "unknown";
    const grant = grants.to(POSTING);
    settle(this.name, grants.newest(POSTING));
    const { isOn } = choiceOf(this.name);
    if (grant) return isOn ? "on" : "idle";
    return isOn ? "pending" : "off";
  }

  render() {
    this.node.hidden = !this.name;
    if (!this.name) return;
    const state = this.state();
    const choice = choiceOf(this.name);
    const grant = this.grants.to(POSTING);
    const isOn = state === "on";
    setText(this.tag, isOn ? strings.on : state === "pending" ? strings.pending : strings.off);
    this.tag.className = isOn ? "tag on" : "tag";
    this.tag.hidden = state === "unknown";
    this.enable.hidden = state !== "off";
    this.change.hidden = this.stopButton.hidden = !isOn;
    this.idle.hidden = state !== "idle";
    this.left.hidden = this.terms.hidden = this.options.hidden = !isOn;
    this.skip.checked = choice.skipsReview;
    this.offline.checked = choice.cancelsOffline;
    this.showNote(state, choice, grant);
    if (isOn) this.showGrant(grant);
    this.showTimer(isOn, choice);
  }

  showNote(state, choice, grant) {
    const texts = {
      unknown: this.grants.problem && strings.failed(this.grants.problem),
      off: choice.ended ? strings.ended[choice.ended] : strings.intro,
      idle: grant && strings.idle(dayAndTime(grant.until)) + this.leftover(),
      on: grant && !this.covers(grant) ? strings.otherPair(`${this.pair.base}/${this.pair.quote}`) : "",
    };
    setText(this.note, texts[state] ?? "");
    this.note.hidden = !texts[state];
  }

  leftover() {
    const timer = this.timer();
    return timer ? ` ${timerStrings.leftover(timeOfDay(timer.due))}` : "";
  }

  covers(grant) {
    return grant.pairs.some(({ base, quote }) => base === this.pair.base && quote === this.pair.quote);
  }

  showGrant(grant) {
    const own = [this.pair.quote, this.pair.base];
    const rank = ({ symbol }) => (own.includes(symbol) ? own.indexOf(symbol) : own.length);
    const rows = [...grant.allowances].sort((a, b) => rank(a) - rank(b));
    const entries = rows.map((row) => this.leftEntry(row));
    const text = entries.map((entry) => entry.join(" ")).join("\n");
    if (this.left.dataset.text !== text) {
      this.left.dataset.text = text;
      this.left.replaceChildren(
        el("dt", {}, strings.left),
        ...entries.map(([left, rest]) => el("dd", {}, el("b", {}, left), ` ${rest}`)),
      );
    }
    const names = grant.pairs.map(({ base, quote }) => `${base}/${quote}`);
    const pairs = names.length > MAX_PAIRS_SHOWN ? strings.morePairs(names.length) : names.join(", ");
    setText(this.terms, strings.terms(pairs, grant.band_bps / 100, dayAndTime(grant.until)));
    this.terms.title = names.join(", ");
  }

  leftEntry(row) {
    const { precision } = this.venue.tokens.find((token) => token.symbol === row.symbol);
    const show = (amount) => trimmed(grouped(plain(amount, precision)));
    const left = show(leftToday(row, this.grants.ts, precision));
    return [left, strings.leftOf("", show(units(row.per_day, precision)), row.symbol).trim()];
  }

  showTimer(isOn, choice) {
    if (!isOn) return;
    const timer = this.timer();
    const { problem, cancelsOffline } = choice;
    const due = timer && timeOfDay(timer.due);
    const text = problem ? timerStrings.problem(problem) + (due ? ` ${timerStrings.leftover(due)}` : "")
      : due ? (cancelsOffline ? timerStrings.due(due) : timerStrings.leftover(due))
        : cancelsOffline ? timerStrings.idle : timerStrings.hint(HORIZON);
    setText(this.timerNote, text);
    this.timerNote.className = problem ? "note bad" : "note";
    this.timerRetry.hidden = !choice.isPaused;
    this.timerOff.hidden = !timer || cancelsOffline;
  }
}
