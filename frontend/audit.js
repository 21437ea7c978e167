// The Audit screen: what anyone needs to check the exchange, and checks that this page makes by itself.

import { grouped } from "./amounts.js";
import { address, read, readText, readVenue } from "./api.js";
import { config } from "./config.js";
import { byId, copy, make, write } from "./dom.js";
import { NONE, writeAmount } from "./figures.js";
import { view } from "./ordertables.js";
import { canHash, hashJournal, sha256 } from "./proof.js";
import { proofCard } from "./proofcard.js";
import { shell } from "./shell.js";
import { subscribe } from "./stream.js";
import { audit as words } from "./strings.js";
import { dayAndTime, inFull, span } from "./when.js";

const LEAST_MS = 3000;
const parts = {};
let venue = null;
let last = 0;
let timer = 0;

function build() {
  parts.facts = Object.fromEntries(
    Object.keys(words.facts).map((name) => [
      name,
      make("dd", { className: name.endsWith("hash") ? "hash" : "" }, NONE),
    ]),
  );
  parts.solvency = solvencyTable();
  parts.outflows = flows(words.outflows, ["time", "token", "quantity", "escrow", "to"]);
  parts.refunds = flows(words.refunds, ["time", "token", "quantity", "escrow", "user"]);
  parts.nodes = nodesTable();
  parts.checkpoints = checkpointsTable();
  parts.peers = peersTable();
  parts.verdict = make("p", { role: "status" });
  parts.command = make("code", {});
  parts.expected = make("p", { className: "muted small" });
  parts.failed = make("div", { className: "failed", hidden: true, role: "status" });
  const facts = Object.entries(words.facts).flatMap(([name, text]) => [make("dt", {}, text), parts.facts[name]]);
  byId("page").append(
    make("p", { className: "lead" }, words.lead),
    parts.failed,
    section("state", make("dl", { className: "facts body" }, ...facts)),
  );
  // Shown once the facts above have their height, so that nothing moves under the reader's eyes.
  parts.below = [
    section("checkpoints", parts.checkpoints.node),
    section("peers", parts.peers.node),
    section("solvency", parts.solvency.node),
    section("outflows", parts.outflows.node),
    section("refunds", parts.refunds.node),
    section(
      "replay",
      make(
        "div",
        { className: "body stack" },
        make("p", { className: "muted" }, words.replayLead),
        commandBox(),
        parts.expected,
        downloads(),
        make("p", { className: "muted" }, words.pageLead),
        checks(),
        parts.verdict,
      ),
    ),
    proofCard(),
    section("nodes", parts.nodes.node),
  ];
}

function section(name, ...content) {
  return make(
    "section",
    { className: "panel", id: name, "aria-labelledby": `${name}-title` },
    make("header", {}, make("h2", { id: `${name}-title` }, words.sections[name])),
    ...content,
  );
}

const col = (name, narrow, more = {}) => ({ text: words.columns[name], narrow, ...more });
const number = (name, narrow) => col(name, narrow, { num: true, label: true });

function solvencyTable() {
  const columns = [
    col("token", "left"),
    col("escrow", "right"),
    number("holdings", "whole"),
    number("liabilities", "whole"),
    number("surplus", "whole"),
    col("state", "whole"),
  ];
  return view(
    words.solvencyCaption,
    columns,
    words.noTokens,
    (token) => token.symbol,
    (cells, token) => {
      write(cells[0], token.symbol);
      write(cells[1], `@${token.escrow}`);
      ["holdings", "liabilities", "surplus"].forEach((name, at) => writeAmount(cells[at + 2], token[name]));
      write(cells[5], token.solvent ? words.solvent : words.insolvent);
      cells[5].className = token.solvent ? "ok" : "bad";
    },
  );
}

function flows({ caption, none }, names) {
  const columns = names.map((name) => col(name, "whole", { num: name === "quantity", label: true }));
  return view(
    caption,
    columns,
    none,
    (flow) => flow.id,
    (cells, flow) => {
      names.forEach((name, at) => {
        if (name === "time") {
          write(cells[at], dayAndTime(flow.ts));
          cells[at].title = inFull(flow.ts);
        } else write(cells[at], name === "token" ? flow.symbol : flow[name]);
      });
    },
  );
}

function checkpointsTable() {
  const columns = [
    col("claimed", "left"),
    col("agrees", "right"),
    col("stateAgrees", "right", { label: true }),
    col("journal", "whole"),
    col("stateHash", "whole"),
    col("time", "left", { label: true }),
    col("compare", "whole", { unseen: true }),
  ];
  return view(
    words.checkpointsCaption,
    columns,
    words.noCheckpoints,
    (claim) => claim.id,
    (cells, claim) => {
      write(cells[0], grouped(String(claim.claimed_block)));
      write(cells[1], words.agrees[String(claim.agrees)]);
      write(cells[2], words.stateAgrees[String(claim.state_agrees)]);
      [claim.agrees, claim.state_agrees].forEach((agrees, at) => {
        cells[at + 1].className = agrees === null ? "muted" : agrees ? "ok" : "bad";
      });
      [claim.journal_hash, claim.state_hash].forEach((hash, at) => {
        write(cells[at + 3], `${hash.slice(0, 16)}…`);
        cells[at + 3].className = "hash";
        cells[at + 3].title = hash;
      });
      write(cells[5], dayAndTime(claim.ts));
      cells[5].title = inFull(claim.ts);
      if (cells[6].firstChild || claim.agrees === null) return;
      const button = make("button", { type: "button", className: "plain" }, words.checkState);
      button.addEventListener("click", () => check(() => checkClaim(claim)));
      cells[6].append(button);
    },
  );
}

// The state's text of the claimed block must give the state hash that was claimed.
async function checkClaim(claim) {
  const { text } = await readText("state", { block: claim.claimed_block });
  const hash = await sha256(text);
  const right = hash === claim.state_hash;
  say(right ? "ok" : "bad", (right ? words.claimRight : words.claimWrong)(grouped(String(claim.claimed_block)), hash));
  parts.verdict.scrollIntoView({ block: "nearest" });
}

function peersTable() {
  const columns = [
    col("peer", "whole"),
    col("state", "left"),
    col("theirs", "right", { num: true, label: true }),
    col("common", "whole", { num: true, label: true }),
    col("stateCommon", "whole", { num: true, label: true }),
    col("answered", "left", { label: true }),
    col("error", "whole", { label: true }),
  ];
  const block = (number) => (number === null ? NONE : grouped(String(number)));
  return view(
    words.peersCaption,
    columns,
    words.noPeers,
    (peer) => peer.url,
    (cells, peer) => {
      const at = peer.differs_at === null ? "" : block(peer.differs_at);
      write(cells[0], peer.url);
      write(cells[1], peer.differs_in ? words.differs[peer.differs_in](at) : words.peerStates[peer.state]);
      cells[1].className = peer.state === "unknown" ? "muted" : peer.state === "agrees" ? "ok" : "bad";
      [peer.block, peer.common_block, peer.state_block].forEach((number, n) => write(cells[n + 2], block(number)));
      write(cells[5], peer.answered === null ? NONE : dayAndTime(peer.answered));
      cells[5].title = peer.answered === null ? "" : inFull(peer.answered);
      write(cells[6], peer.error ?? NONE);
      cells[6].className = peer.error ? "bad" : "";
    },
  );
}

function nodesTable() {
  const columns = [
    col("node", "whole"),
    col("kind", "left"),
    col("state", "right"),
    col("error", "whole", { label: true }),
  ];
  return view(
    words.nodesCaption,
    columns,
    words.noNodes,
    (node) => node.url,
    (cells, node) => {
      [node.url, node.kind, words.nodeStates[node.state] ?? node.state, node.error ?? NONE].forEach((text, at) =>
        write(cells[at], text),
      );
      cells[2].className = node.state === "ok" ? "ok" : "bad";
    },
  );
}

function commandBox() {
  const button = make(
    "button",
    { type: "button", className: "button", onclick: () => copy(button, parts.command.textContent, words.copied) },
    words.copy,
  );
  return make("div", { className: "command" }, parts.command, button);
}

// What to type, for the block that is the newest now: its journal hash stands below, to be compared.
function showCommand({ block, journal_hash: hash, indexer }) {
  if (parts.command.textContent || !venue || block === null) return;
  const asked = (kind) => indexer?.nodes?.find((node) => node.kind === kind)?.url;
  const isPublic = venue.network === "hive";
  const hive = isPublic ? config.hiveNodes[0] : asked("Hive");
  const engine = isPublic ? config.engineNodes[0]?.replace(/\/contracts$/, "") : asked("Hive-Engine");
  write(
    parts.command,
    `peakedex verify --venue venue.toml --node ${hive} --engine-node ${engine}` +
      ` --against ${address("").replace(/\/$/, "")} --until ${block}`,
  );
  write(parts.expected, words.replayExpect(grouped(String(block)), hash));
}

function downloads() {
  const link = (path, name, text) => make("a", { className: "button", href: address(path), download: name }, text);
  return make(
    "div",
    { className: "head" },
    link("journal", "journal.txt", words.journalFile),
    link("state", "state.txt", words.stateFile),
    link("venue", "venue.json", words.venueFile),
  );
}

function checks() {
  const button = (text, run) =>
    make(
      "button",
      {
        type: "button",
        className: "button",
        onclick: async (event) => {
          event.target.disabled = true;
          await check(run);
          event.target.disabled = false;
        },
      },
      text,
    );
  return make(
    "div",
    { className: "head" },
    button(words.hashJournal, checkJournal),
    button(words.hashState, checkState),
  );
}

async function check(run) {
  parts.verdict.className = "muted";
  if (!canHash()) {
    say("bad", words.cannotHash);
    return;
  }
  try {
    await run();
  } catch (error) {
    say("bad", error.message);
  }
}

function say(kind, text) {
  parts.verdict.className = kind;
  write(parts.verdict, text);
}

// The whole journal, part by part, from the venue's hash: the last hash must be the one that the exchange shows.
async function checkJournal() {
  const target = await read("health");
  let hash = target.venue_hash;
  let blocks = 0;
  let from = 0;
  while (from <= target.block) {
    const { text, headers } = await readText("journal", { from, to: target.block });
    const part = await hashJournal(hash, text, (done) => say("muted", words.hashing(grouped(String(blocks + done)))));
    hash = part.hash;
    blocks += part.blocks;
    from = Number(headers.get("X-Next-From") ?? target.block + 1);
    say("muted", words.hashing(grouped(String(blocks))));
  }
  const right = hash === target.journal_hash;
  say(
    right ? "ok" : "bad",
    (right ? words.journalRight : words.journalWrong)(grouped(String(blocks)), grouped(String(target.block)), hash),
  );
}

async function checkState() {
  const { text, headers } = await readText("state");
  const hash = await sha256(text);
  const block = grouped(/^block (\d+) /m.exec(text)?.[1] ?? "?");
  const said = headers.get("X-State-Hash");
  write(parts.facts.state_hash, hash);
  if (said !== null && said !== hash) say("bad", words.stateWrong(block, hash));
  else say("ok", words.stateHashed(block, hash));
}

async function refresh() {
  clearTimeout(timer);
  const wait = last + LEAST_MS - performance.now();
  if (wait > 0) {
    timer = setTimeout(refresh, wait);
    return;
  }
  last = performance.now();
  const results = await Promise.allSettled([read("health"), read("solvency"), read("checkpoints"), read("peers")]);
  const wrong = results.find((result) => result.status === "rejected");
  parts.failed.hidden = !wrong;
  if (wrong)
    parts.failed.replaceChildren(
      wrong.reason.message,
      make("button", { type: "button", className: "plain", onclick: refresh }, words.retry),
    );
  if (results[0].status === "fulfilled") showHealth(results[0].value);
  if (results[1].status === "fulfilled") showSolvency(results[1].value);
  if (results[2].status === "fulfilled") parts.checkpoints.show(results[2].value.checkpoints);
  if (results[3].status === "fulfilled") parts.peers.show(results[3].value.peers);
  if (!parts.below[0].isConnected) byId("page").append(...parts.below);
}

function showHealth(health) {
  const { facts } = parts;
  write(facts.block, health.block === null ? NONE : `${grouped(String(health.block))}, ${inFull(health.ts)}`);
  write(
    facts.lag,
    health.indexer?.lag === null || health.indexer === null
      ? NONE
      : words.lag(grouped(String(health.indexer.lag)), span(health.age_seconds)),
  );
  write(facts.venue_hash, health.venue_hash ?? NONE);
  write(facts.journal_hash, health.journal_hash ?? NONE);
  if (!facts.state_hash.textContent || facts.state_hash.textContent === NONE)
    write(facts.state_hash, words.notComputed);
  write(facts.version, health.version);
  showCommand(health);
  parts.nodes.show(health.indexer?.nodes ?? []);
}

function showSolvency(body) {
  parts.solvency.show(body.tokens);
  parts.outflows.show(body.unmatched_outflows);
  parts.refunds.show(body.refunds_due);
}

shell("audit");
build();
subscribe(["block"], ({ kind }) => {
  if (kind === "snapshot" || kind === "change") refresh();
});
refresh();
readVenue().then(
  (body) => {
    venue = body;
  },
  () => {},
);
