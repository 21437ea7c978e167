// Tables of the Audit screen.

import { grouped } from "../lib/amounts.js";
import { button, setText } from "../lib/dom.js";
import { NONE, setAmount, setTime, utcTime } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { audit as strings } from "../strings/audit.js";

const column = (name, narrow, more = {}) => ({ text: strings.columns[name], narrow, ...more });
const numberColumn = (name, narrow) => column(name, narrow, { num: true, label: true });
const blockText = (number) => (number === null ? NONE : grouped(String(number)));

const STATE_CLASSES = { match: "ok", mismatch: "bad" };

/** What this page compared the API with. */
export function integrityTable() {
  const columns = [
    column("with", "left"),
    column("result", "right"),
    numberColumn("block", "left"),
    column("time", "right"),
    column("details", "whole"),
  ];
  return dataTable(strings.integrityCaption, columns, strings.notCompared, ({ kind, name }) => `${kind} ${name}`, (cells, row) => {
    [row.name, strings.states[row.state], blockText(row.block), utcTime(new Date(row.ts).toISOString()), row.text || NONE].forEach(
      (text, at) => setText(cells[at], text),
    );
    cells[1].className = STATE_CLASSES[row.state] ?? "muted";
    cells[4].className = row.state === "mismatch" ? "bad wrap" : "muted wrap";
  });
}

/** Reserves and liabilities by token: the ledger's holdings, and what the escrow account holds on the chain. */
export function solvencyTable() {
  const columns = [
    column("token", "left"),
    column("escrow", "right"),
    numberColumn("holdings", "whole"),
    numberColumn("liabilities", "whole"),
    numberColumn("surplus", "whole"),
    numberColumn("onChain", "whole"),
    numberColumn("difference", "whole"),
    column("state", "whole"),
  ];
  return dataTable(strings.solvencyCaption, columns, strings.noTokens, (token) => token.symbol, (cells, token) => {
    const { real_balance: balance, real_difference: difference, real_block: block } = token;
    setText(cells[0], token.symbol);
    setText(cells[1], `@${token.escrow}`);
    ["holdings", "liabilities", "surplus"].forEach((name, at) => setAmount(cells[at + 2], token[name]));
    [balance, difference].forEach((amount, at) => (amount === null ? setText(cells[at + 5], NONE) : setAmount(cells[at + 5], amount)));
    cells[5].title = block === null ? strings.notRead : strings.readAt(blockText(block));
    setText(cells[7], token.solvent ? strings.solvent : strings.insolvent);
    cells[7].className = token.solvent ? "ok" : "bad";
  });
}

/** Operations on escrow accounts that have no journal line. */
export function operationsTable() {
  const columns = [
    column("block", "left"),
    column("operation", "right"),
    column("account", "left", { label: true }),
    column("by", "right", { label: true }),
    column("details", "whole"),
  ];
  const key = (row) => `${row.transaction_id}-${row.operation_index}-${row.account}`;
  return dataTable(strings.operationsCaption, columns, strings.noOperations, key, (cells, row) => {
    [blockText(row.block), row.type, `@${row.account}`, strings.by[String(row.acting)]].forEach((text, at) => setText(cells[at], text));
    cells[3].className = row.acting ? "bad" : "muted";
    setText(cells[4], row.operation);
    cells[4].className = "hash";
  });
}

/** Payments out of escrow that match no withdrawal. */
export const outflowsTable = () => flowsTable(strings.outflows, "to");

/** Deposits that could not be credited. */
export const refundsTable = () => flowsTable(strings.refunds, "user");

function flowsTable({ caption, none }, counterparty) {
  const names = ["time", "token", "quantity", "escrow", counterparty];
  const columns = names.map((name) => column(name, "whole", { num: name === "quantity", label: true }));
  return dataTable(caption, columns, none, (flow) => flow.id, (cells, flow) => {
    setTime(cells[0], flow.ts);
    [flow.symbol, flow.quantity, flow.escrow, flow[counterparty]].forEach((text, at) => setText(cells[at + 1], text));
  });
}

/**
 * The operator's checkpoints.
 * @param {(checkpoint: any) => void} checkState
 */
export function checkpointsTable(checkState) {
  const columns = [
    column("claimed", "left"),
    column("agrees", "right"),
    column("stateAgrees", "whole", { label: true }),
    column("journal", "whole", { label: true }),
    column("stateHash", "whole", { label: true }),
    column("time", "whole", { label: true }),
    column("compare", "whole", { hiddenHead: true }),
  ];
  return dataTable(strings.checkpointsCaption, columns, strings.noCheckpoints, ({ id }) => id, (cells, checkpoint) => {
    const { agrees, state_agrees: stateAgrees } = checkpoint;
    setText(cells[0], blockText(checkpoint.claimed_block));
    setText(cells[1], strings.journalMatch[String(agrees)]);
    setText(cells[2], strings.stateMatch[String(stateAgrees)]);
    [agrees, stateAgrees].forEach((isMatch, at) => {
      cells[at + 1].className = isMatch === null ? "muted" : isMatch ? "ok" : "bad";
    });
    [checkpoint.journal_hash, checkpoint.state_hash].forEach((hash, at) => {
      setText(cells[at + 3], `${hash.slice(0, 16)}…`);
      cells[at + 3].className = "hash";
      cells[at + 3].title = hash;
    });
    setTime(cells[5], checkpoint.ts);
    if (cells[6].firstChild || agrees === null) return;
    cells[6].append(button(strings.checkState, () => checkState(checkpoint), { className: "plain" }));
  });
}

/** Other replicas and how their hashes compare. */
export function peersTable() {
  const columns = [
    column("peer", "whole"),
    column("state", "left"),
    column("theirs", "right", { num: true, label: true }),
    numberColumn("common", "whole"),
    numberColumn("stateCommon", "whole"),
    column("answered", "left", { label: true }),
    column("error", "whole", { label: true }),
  ];
  return dataTable(strings.peersCaption, columns, strings.noPeers, (peer) => peer.url, (cells, peer) => {
    const differsAt = peer.differs_at === null ? "" : blockText(peer.differs_at);
    setText(cells[0], peer.url);
    setText(cells[1], peer.differs_in ? strings.differs[peer.differs_in](differsAt) : strings.peerStates[peer.state]);
    cells[1].className = peer.state === "unknown" ? "muted" : peer.state === "agrees" ? "ok" : "bad";
    [peer.block, peer.common_block, peer.state_block].forEach((number, at) => setText(cells[at + 2], blockText(number)));
    if (peer.answered === null) setText(cells[5], NONE);
    else setTime(cells[5], peer.answered);
    setText(cells[6], peer.error ?? NONE);
    cells[6].className = peer.error ? "bad" : "";
  });
}

/** Chain nodes that the indexer reads from. */
export function nodesTable() {
  const columns = [
    column("node", "whole"),
    column("kind", "left"),
    column("state", "right"),
    column("error", "whole", { label: true }),
  ];
  return dataTable(strings.nodesCaption, columns, strings.noNodes, (node) => node.url, (cells, node) => {
    const texts = [node.url, node.kind, strings.nodeStates[node.state] ?? node.state, node.error ?? NONE];
    texts.forEach((text, at) => setText(cells[at], text));
    cells[2].className = node.state === "ok" ? "ok" : "bad";
  });
}
