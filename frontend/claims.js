// What disagrees is told on every screen: the operator's claims of past hashes, and other replicas' hashes.

import { read } from "./api.js";
import { banner } from "./shell.js";
import { shell as words } from "./strings.js";

const AGAIN_MS = 60_000;

/** Look now, and once a minute. */
export async function watchClaims() {
  try {
    const { alarms } = await read("health");
    const claims = alarms.length ? (await read("checkpoints")).checkpoints : [];
    const wrong = claims.filter((claim) => claim.agrees === false || claim.state_agrees === false);
    say("mismatch", wrong.length > 0, "danger", words.mismatch, "checkpoints");
    say("peers", alarms.length > wrong.length, "warn", words.peerMismatch, "peers");
  } catch {
    // That the server is away is told by the stream's state.
  }
  setTimeout(watchClaims, AGAIN_MS);
}

function say(id, isWrong, kind, text, section) {
  const link = { href: `audit.html#${section}`, text: words.mismatchLink };
  banner(id, isWrong ? { kind, text, link } : null);
}
