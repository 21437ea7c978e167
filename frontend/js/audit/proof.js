// Verification of proofs of liabilities and of the journal's hash chain (docs/proof.md), with SHA-256 over lines of
// text.

const MAX_UNITS = 2n ** 63n - 1n;

/** An invalid proof; the message gives the reason. */
export class ProofError extends Error {}

/** Whether this page can compute hashes: browsers provide SHA-256 on https and localhost only. */
export const canHash = () => Boolean(globalThis.crypto?.subtle);

/**
 * @param {string} text
 * @returns {Promise<string>} 64 hexadecimal digits
 */
export async function sha256(text) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Verify an answer of /api/proof, all tokens of it.
 * @param {any} proof
 * @param {string} account that it must be for
 * @throws {ProofError}
 */
export async function verifyProof(proof, account) {
  for (const token of proof.tokens) await verifyToken(proof, token, account);
}

async function verifyToken(proof, token, account) {
  const { symbol, leaf, path, root } = token;
  const fail = (reason) => {
    throw new ProofError(`${symbol}: ${reason}`);
  };
  const total = (text) => {
    const value = /^[1-9]\d{0,18}$/.test(text) ? BigInt(text) : 0n;
    return value > 0n && value <= MAX_UNITS ? value : fail(`${text} is not a valid total`);
  };
  if (leaf.account !== account) fail(`the leaf belongs to ${leaf.account}`);
  const sides = siblingSides(leaf.place, root.leaves);
  if (!sides || sides.join() !== path.map((step) => step.side).join()) fail("the path does not match the leaf's place");
  let sum = total(leaf.units);
  let hash = await sha256(`peakedex-leaf 1 ${proof.venue_hash} ${symbol} ${account} ${sum}\n`);
  for (const step of path) {
    const sibling = total(step.units);
    const [left, right] =
      step.side === "left"
        ? [`${sibling} ${step.hash}`, `${sum} ${hash}`]
        : [`${sum} ${hash}`, `${sibling} ${step.hash}`];
    sum = total(String(sum + sibling));
    hash = await sha256(`peakedex-node 1 ${left} ${right}\n`);
  }
  if (sum !== total(root.units)) fail(`the totals add up to ${sum}, but the root says ${root.units}`);
  const expected = await sha256(
    `peakedex-root 1 ${proof.venue_hash} ${proof.root_block} ${proof.root_block_id} ${symbol} ${root.leaves} ${sum} ${hash}\n`,
  );
  if (expected !== root.hash) fail("the path does not lead to the root");
}

// The sides of the siblings on the path from a leaf to the root; null if there is no such leaf.
function siblingSides(place, leaves) {
  if (!Number.isSafeInteger(place) || !Number.isSafeInteger(leaves) || place < 0 || place >= leaves) return null;
  const sides = [];
  for (let count = leaves; count > 1; count = Math.ceil(count / 2)) {
    const sibling = place % 2 ? place - 1 : place + 1;
    if (sibling < count) sides.push(sibling < place ? "left" : "right");
    place = Math.floor(place / 2);
  }
  return sides;
}

/**
 * The journal hash after some blocks of the journal.
 * @param {string} before the hash before them
 * @param {string} text whole blocks of the journal
 * @param {(blocks: number) => void} [onProgress] called with the number of blocks hashed so far
 * @returns {Promise<{hash: string, blocks: number}>}
 */
export async function hashJournal(before, text, onProgress = () => {}) {
  let hash = before;
  let blocks = 0;
  for (const block of text.split(/^(?=block )/m)) {
    if (!block) continue;
    hash = await sha256(`${hash}\n${block}`);
    blocks += 1;
    if (blocks % 500 === 0) onProgress(blocks);
  }
  return { hash, blocks };
}
