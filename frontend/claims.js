// The operator's claims of past hashes: one that disagrees is told on every screen.

import { read } from "./api.js";
import { banner } from "./shell.js";
import { shell as words } from "./strings.js";

const AGAIN_MS = 60_000;

/** Look now, and once a minute. */
export async function watchClaims() {
  try {
    const { checkpoints } = await read("checkpoints");
    const wrong = checkpoints.some((claim) => claim.agrees === false);
    const link = { href: "audit.html#checkpoints", text: words.mismatchLink };
    banner("mismatch", wrong ? { kind: "danger", text: words.mismatch, link } : null);
  } catch {
    // That the server is away is told by the stream's state.
  }
  setTimeout(watchClaims, AGAIN_MS);
}
