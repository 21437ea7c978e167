// Audit screen: hashes, reserves and liabilities, and checks that this page computes itself.

import { config } from "../../config.js";
import { apiUrl, read, readText, readVenue } from "../data/api.js";
import { subscribe } from "../data/stream.js";
import { grouped } from "../lib/amounts.js";
import { button, byId, copyText, el, setText } from "../lib/dom.js";
import { age, NONE, utcTime } from "../lib/format.js";
import { afterPaint } from "../lib/render.js";
import { errorNote, panel } from "../lib/widgets.js";
import { mountShell } from "../shell/shell.js";
import { audit as strings } from "../strings/audit.js";
import {
  checkpointsTable, integrityTable, nodesTable, operationsTable, outflowsTable, peersTable, refundsTable, solvencyTable,
} from "./audit-tables.js";
import { proofCard } from "./proof-card.js";
import { canHash, hashJournal, sha256 } from "./proof.js";

const MIN_REFRESH_MS = 3000;
const parts = {};
const tables = {
  integrity: integrityTable(),
  checkpoints: checkpointsTable((checkpoint) => runCheck(() => checkCheckpoint(checkpoint))),
  peers: peersTable(),
  solvency: solvencyTable(),
  operations: operationsTable(),
  outflows: outflowsTable(),
  refunds: refundsTable(),
  nodes: nodesTable(),
};
let venue = null;
let lastRefresh = -Infinity; // by performance.now(), which is small at first
let timer = 0;

mountShell("audit");
build();
subscribe(["block"], ({ kind }) => {
  if (kind === "snapshot" || kind === "change") refresh();
});
refresh();
readVenue().then(
  (body) => {
    venue = body;
  },
  () => {}, // the command to replay the chain stays empty
);
afterPaint(showIntegrity);

function build() {
  const factValue = (name) => el("dd", { className: name.endsWith("hash") ? "hash" : "" }, NONE);
  parts.facts = Object.fromEntries(Object.keys(strings.facts).map((name) => [name, factValue(name)]));
  parts.verdict = el("p", { role: "status" });
  parts.command = el("code", {});
  parts.expected = el("p", { className: "muted small" });
  parts.error = el("div", { hidden: true });
  parts.alarms = el("ul", { className: "alarms body bad" });
  parts.alarmsPanel = section("alarms", parts.alarms);
  parts.alarmsPanel.hidden = true;
  const facts = Object.entries(strings.facts).flatMap(([name, text]) => [el("dt", {}, text), parts.facts[name]]);
  byId("page").append(
    el("p", { className: "lead" }, strings.lead),
    parts.error,
    parts.alarmsPanel,
    section("state", el("dl", { className: "facts body" }, ...facts)),
  );
  // Appended once the facts have their height, to avoid a layout shift.
  parts.below = [
    integritySection(),
    ...["checkpoints", "peers"].map((name) => section(name, tables[name].node)),
    section("solvency", tables.solvency.node, el("p", { className: "muted small body" }, strings.differenceNote)),
    ...["operations", "outflows", "refunds"].map((name) => section(name, tables[name].node)),
    section("replay", replayBody()),
    proofCard(),
    section("nodes", tables.nodes.node),
  ];
}

function section(id, ...content) {
  return panel(id, strings.sections[id], { content, attributes: { id } });
}

function integritySection() {
  const compare = button(strings.compareNow, compareNow, { className: "plain" });
  async function compareNow() {
    compare.disabled = true;
    const { checkIntegrity } = await import("../data/integrity.js");
    await checkIntegrity();
    compare.disabled = false;
  }
  parts.subject = el("p", { className: "muted body" }, strings.integrityLead(apiUrl("")));
  return panel("integrity", strings.sections.integrity, {
    tools: [compare],
    content: [parts.subject, tables.integrity.node],
    attributes: { id: "integrity" },
  });
}

async function showIntegrity() {
  const { integrityState, onIntegrity } = await import("../data/integrity.js");
  const show = () => {
    const { api, comparisons } = integrityState();
    if (!api) return; // the first check is under way
    setText(parts.subject, strings.integrityLead(api));
    tables.integrity.show(comparisons);
  };
  onIntegrity(show);
  show();
}

function replayBody() {
  const copy = button(strings.copy, () => copyText(copy, parts.command.textContent, strings.copied), { className: "button" });
  const file = (path, name, text) => el("a", { className: "button", href: apiUrl(path), download: name }, text);
  return el(
    "div",
    { className: "body stack" },
    el("p", { className: "muted" }, strings.replayLead),
    el("div", { className: "command" }, parts.command, copy),
    parts.expected,
    el(
      "div",
      { className: "head" },
      file("journal", "journal.txt", strings.journalFile),
      file("state", "state.txt", strings.stateFile),
      file("venue", "venue.json", strings.venueFile),
    ),
    el("p", { className: "muted" }, strings.pageLead),
    el("div", { className: "head" }, checkButton(strings.hashJournal, checkJournal), checkButton(strings.hashState, checkState)),
    parts.verdict,
  );
}

// The command that replays the chain up to the newest block, and the journal hash to expect.
function showCommand({ block, journal_hash: hash, indexer }) {
  if (parts.command.textContent || !venue || block === null) return;
  const reported = (kind) => indexer?.nodes?.find((node) => node.kind === kind)?.url;
  const isPublic = venue.network === "hive";
  const hive = isPublic ? config.hiveNodes[0] : reported("Hive");
  const engine = isPublic ? config.engineNodes[0]?.replace(/\/contracts$/, "") : reported("Hive-Engine");
  setText(
    parts.command,
    `peakedex verify --venue venue.toml --node ${hive} --engine-node ${engine}` +
      ` --against ${apiUrl("").replace(/\/$/, "")} --until ${block}`,
  );
  setText(parts.expected, strings.replayExpect(grouped(String(block)), hash));
}

// -- checks in this page ---------------------------------------------------------------------------------------------

function checkButton(text, check) {
  const node = button(text, run, { className: "button" });
  async function run() {
    node.disabled = true;
    await runCheck(check);
    node.disabled = false;
  }
  return node;
}

async function runCheck(check) {
  if (!canHash()) {
    showVerdict("bad", strings.cannotHash);
    return;
  }
  showVerdict("muted", "");
  try {
    await check();
  } catch (error) {
    showVerdict("bad", error.message);
  }
}

function showVerdict(className, text) {
  parts.verdict.className = className;
  setText(parts.verdict, text);
}

// The state of the checkpoint's block must have the state hash of the checkpoint.
async function checkCheckpoint({ claimed_block: block, state_hash: expected }) {
  const { text } = await readText("state", { block });
  const hash = await sha256(text);
  const isMatch = hash === expected;
  const verdict = isMatch ? strings.checkpointMatch : strings.checkpointMismatch;
  showVerdict(isMatch ? "ok" : "bad", verdict(grouped(String(block)), hash));
  parts.verdict.scrollIntoView({ block: "nearest" });
}

// The hash chain over the whole journal, from the venue hash, must end in the hash that the exchange shows.
async function checkJournal() {
  const target = await read("health");
  let hash = target.venue_hash;
  let blocks = 0;
  let from = 0;
  const showProgress = (done) => showVerdict("muted", strings.hashing(grouped(String(blocks + done))));
  while (from <= target.block) {
    const { text, headers } = await readText("journal", { from, to: target.block });
    const part = await hashJournal(hash, text, showProgress);
    hash = part.hash;
    blocks += part.blocks;
    from = Number(headers.get("X-Next-From") ?? target.block + 1);
    showProgress(0);
  }
  const isMatch = hash === target.journal_hash;
  const verdict = isMatch ? strings.journalMatches : strings.journalDiffers;
  showVerdict(isMatch ? "ok" : "bad", verdict(grouped(String(blocks)), grouped(String(target.block)), hash));
}

async function checkState() {
  const { text, headers } = await readText("state");
  const hash = await sha256(text);
  const block = grouped(/^block (\d+) /m.exec(text)?.[1] ?? "?");
  const reported = headers.get("X-State-Hash");
  setText(parts.facts.state_hash, hash);
  if (reported !== null && reported !== hash) showVerdict("bad", strings.stateDiffers(block, hash));
  else showVerdict("ok", strings.stateHashed(block, hash));
}

// -- data ------------------------------------------------------------------------------------------------------------

async function refresh() {
  clearTimeout(timer);
  const wait = lastRefresh + MIN_REFRESH_MS - performance.now();
  if (wait > 0) {
    timer = setTimeout(refresh, wait);
    return;
  }
  lastRefresh = performance.now();
  const results = await Promise.allSettled(["health", "solvency", "checkpoints", "peers"].map((path) => read(path)));
  const failure = results.find((result) => result.status === "rejected");
  parts.error.hidden = !failure;
  parts.error.replaceChildren(...(failure ? [errorNote(failure.reason.message, refresh)] : []));
  const [health, solvency, checkpoints, peers] = results.map((result) => result.value);
  if (health) showHealth(health);
  if (solvency) {
    tables.solvency.show(solvency.tokens);
    tables.operations.show(solvency.escrow_operations);
    tables.outflows.show(solvency.unmatched_outflows);
    tables.refunds.show(solvency.refunds_due);
  }
  if (checkpoints) tables.checkpoints.show(checkpoints.checkpoints);
  if (peers) tables.peers.show(peers.peers);
  if (!parts.below[0].isConnected) byId("page").append(...parts.below);
}

function showAlarms(alarms) {
  parts.alarmsPanel.hidden = alarms.length === 0;
  parts.alarms.replaceChildren(...alarms.map((alarm) => el("li", {}, alarm)));
}

function showHealth(health) {
  const { block, indexer, venue_hash: venueHash, journal_hash: journalHash } = health;
  const { facts } = parts;
  const hasLag = indexer !== null && indexer.lag !== null;
  setText(facts.block, block === null ? NONE : `${grouped(String(block))}, ${utcTime(health.ts)}`);
  setText(facts.lag, hasLag ? strings.lag(grouped(String(indexer.lag)), age(health.age_seconds)) : NONE);
  setText(facts.venue_hash, venueHash ?? NONE);
  setText(facts.journal_hash, journalHash ?? NONE);
  if (facts.state_hash.textContent === NONE) setText(facts.state_hash, strings.notComputed);
  setText(facts.version, health.version);
  showCommand(health);
  showAlarms(health.alarms);
  tables.nodes.show(indexer?.nodes ?? []);
}
