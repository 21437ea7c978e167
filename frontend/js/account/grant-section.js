// Section of the Portfolio screen: the grants of an account, what was used of them today, and those given to it.

import { readVenue } from "../data/api.js";
import { hasEnded, LiveGrants, POSTING } from "../data/grants.js";
import { grouped, trimmed } from "../lib/amounts.js";
import { button, el, setText } from "../lib/dom.js";
import { setTime } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { errorNote, panel } from "../lib/widgets.js";
import { grantSection as strings } from "../strings/one-click.js";
import { choose } from "../wallet/one-click-choice.js";
import { SeenGrants } from "./seen-grants.js";

const who = (to) => (to === POSTING ? strings.posting : `@${to}`);
const pairsText = (grant) => grant.pairs.map(({ base, quote }) => `${base}/${quote}`).join(", ");
const keyOf = (grant) => `${grant.user} ${grant.to} ${grant.block}`;

export class GrantSection {
  /**
   * @param {string} name
   * @param {boolean} isOwn whether grants can be changed
   */
  constructor(name, isOwn) {
    this.name = name;
    this.isOwn = isOwn;
    this.given = grantsTable(strings.caption, isOwn ? strings.none : strings.noneOther, isOwn ? this : null);
    this.received = grantsTable(strings.receivedCaption, "", null, (grant) => `@${grant.user}`);
    const add = isOwn && button(strings.add, () => this.open({}), { className: "plain" });
    const lead = el("p", { className: "body small muted" }, isOwn ? strings.lead : strings.leadOther);
    this.error = el("div");
    this.receivedPanel = panel("received-grants", isOwn ? strings.receivedTitle : strings.receivedTitleOther, { content: [this.received.node] });
    this.receivedPanel.hidden = true;
    this.node = el(
      "div",
      { className: "stack" },
      panel("grants", strings.title, { tools: add ? [add] : [], content: [lead, this.error, this.given.node] }),
      this.receivedPanel,
    );
    this.seen = new SeenGrants(name);
    this.live = new LiveGrants(name, () => this.render());
  }

  close() {
    this.live.close();
  }

  // -- actions --

  async open(about) {
    const { openGrantDialog } = await import("./grant-dialog.js");
    return openGrantDialog(await readVenue(), this.name, about);
  }

  change(grant) {
    return this.open({ to: grant.to, old: grant });
  }

  async revoke(grant) {
    if (grant.to === POSTING) choose(this.name, { isOn: false, cancelsOffline: false, until: "", ended: "", problem: "", isPaused: false });
    const [{ revoke }, { review }] = await Promise.all([import("../wallet/grant-intents.js"), import("../wallet/review-dialog.js")]);
    return review(revoke(await readVenue(), this.name, grant.to));
  }

  // -- display --

  render() {
    const { given, received, problem } = this.live;
    if (!given) {
      if (problem) this.error.replaceChildren(errorNote(problem, () => this.live.refresh()));
      return;
    }
    this.error.replaceChildren();
    this.receivedPanel.hidden = received.length === 0;
    this.received.show(received.map((grant) => ({ ...grant, status: "active" })));
    if (this.isOwn) import("../wallet/one-click.js").then(({ settle }) => settle(this.name, this.live.newest(POSTING)));
    this.given.show([...given.map((grant) => ({ ...grant, status: hasEnded(grant, this.live.ts) ? "expired" : "active" })), ...this.ended(given)]);
  }

  // The API lists grants in force: those that this browser has seen before and that are gone have ended.
  ended(given) {
    if (this.isOwn) this.seen.add(given);
    const keys = new Set(given.map(keyOf));
    const names = new Set(given.map(({ to }) => to));
    return this.seen.grants.filter((grant) => !keys.has(keyOf(grant)))
      .map((grant) => ({ ...grant, status: hasEnded(grant, this.live.ts) ? "expired" : names.has(grant.to) ? "replaced" : "revoked" }));
  }
}

/**
 * @param {string} caption
 * @param {string} empty
 * @param {GrantSection|null} actions
 * @param {(grant: any) => string} [name] of the other account
 */
function grantsTable(caption, empty, actions, name = (grant) => who(grant.to)) {
  const { columns } = strings;
  const shown = [
    { text: columns.to, narrow: "left" },
    { text: columns.status, narrow: "right" },
    { text: columns.pairs, narrow: "whole", label: true },
    { text: columns.used, narrow: "whole", label: true },
    { text: columns.band, num: true, narrow: "whole", label: true },
    { text: columns.until, num: true, narrow: "whole", label: true },
    ...(actions ? [{ text: columns.actions, num: true, hiddenHead: true, narrow: "whole" }] : []),
  ];
  return dataTable(caption, shown, empty, keyOf, (cells, grant, row) => {
    row.grant = grant; // the newest version, for the buttons
    setText(cells[0], name(grant));
    setText(cells[1], strings.statuses[grant.status]);
    cells[1].className = grant.status === "active" ? "ok" : "muted";
    setText(cells[2], pairsText(grant));
    cells[2].className = "wrap";
    showUsed(cells[3], grant);
    setText(cells[4], strings.bandOf(grant.band_bps / 100));
    setTime(cells[5], grant.until);
    if (actions) showActions(cells[6], row, actions);
  });
}

function showUsed(cell, grant) {
  const lines = grant.allowances.map((row) =>
    strings.usedOf(trimmed(grouped(row.used_today)), trimmed(grouped(row.per_day)), row.symbol));
  if (cell.dataset.text === lines.join()) return;
  cell.dataset.text = lines.join();
  cell.className = "lines";
  cell.replaceChildren(...lines.map((line) => el("div", {}, line)));
}

function showActions(cell, row, actions) {
  const isActive = row.grant.status === "active";
  if (cell.childElementCount === 0) {
    const action = (text, label, run) =>
      button(text, () => run(row.grant), { className: "plain", "aria-label": label(who(row.grant.to)) });
    cell.append(
      action(strings.change, strings.changeOf, (grant) => actions.change(grant)),
      action(strings.revoke, strings.revokeOf, (grant) => actions.revoke(grant)),
    );
  }
  for (const node of cell.children) node.hidden = !isActive;
}
