// Banners on every screen if hashes disagree, with the operator's checkpoints or with other replicas, and if an escrow
// account was used outside the exchange.

import { read } from "../data/api.js";
import { shell as strings } from "../strings/shell.js";
import { setBanner } from "./banners.js";

const INTERVAL_MS = 60_000;

/** Check now, and once a minute. */
export async function watchIntegrity() {
  try {
    const { alarms } = await read("health");
    const [{ checkpoints }, { peers }] = alarms.length
      ? await Promise.all([read("checkpoints"), read("peers")])
      : [{ checkpoints: [] }, { peers: [] }];
    const mismatches = checkpoints.filter(({ agrees, state_agrees: stateAgrees }) => agrees === false || stateAgrees === false);
    setAlert("mismatch", mismatches.length > 0, "danger", strings.mismatch, "checkpoints");
    const differing = peers.filter(({ state }) => state === "disagrees");
    setAlert("peers", differing.length > 0, "warn", strings.peerMismatch, "peers");
    setAlert("escrow", alarms.length > mismatches.length + differing.length, "warn", strings.escrowAlarm, "operations");
  } catch {
    // the API does not answer: the connection state in the header says so
  }
  setTimeout(watchIntegrity, INTERVAL_MS);
}

function setAlert(id, isRaised, kind, text, section) {
  const link = { href: `audit.html#${section}`, text: strings.openAudit };
  setBanner(id, isRaised ? { kind, text, link } : null);
}
