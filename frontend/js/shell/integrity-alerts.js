// Banners on every screen: if the page's own comparisons find a mismatch, if the API itself reports one, with the
// operator's checkpoints or with other replicas, and if an escrow account was used outside the exchange.

import { read } from "../data/api.js";
import { integrityState, mismatches, onIntegrity, watchIntegrity } from "../data/integrity.js";
import { integrity } from "../strings/integrity.js";
import { shell as strings } from "../strings/shell.js";
import { setBanner } from "./banners.js";

/** Check now, and once a minute. */
export function showIntegrity() {
  onIntegrity(showMismatches);
  onIntegrity(showAlarms);
  watchIntegrity();
}

function showMismatches() {
  const found = mismatches();
  setAlert("integrity", found.length > 0, "danger", integrity.blocked(found.join(" ")), "integrity");
}

async function showAlarms() {
  try {
    const alarms = integrityState().health?.alarms ?? [];
    const [{ checkpoints }, { peers }] = alarms.length
      ? await Promise.all([read("checkpoints"), read("peers")])
      : [{ checkpoints: [] }, { peers: [] }];
    const differingCheckpoints = checkpoints.filter(({ agrees, state_agrees: stateAgrees }) => agrees === false || stateAgrees === false);
    setAlert("mismatch", differingCheckpoints.length > 0, "danger", strings.mismatch, "checkpoints");
    const differing = peers.filter(({ state }) => state === "disagrees");
    setAlert("peers", differing.length > 0, "warn", strings.peerMismatch, "peers");
    setAlert("escrow", alarms.length > differingCheckpoints.length + differing.length, "warn", strings.escrowAlarm, "operations");
  } catch {
    // the API does not answer: the connection state in the header says so
  }
}

function setAlert(id, isRaised, kind, text, section) {
  const link = { href: `audit.html#${section}`, text: strings.openAudit };
  setBanner(id, isRaised ? { kind, text, link } : null);
}
