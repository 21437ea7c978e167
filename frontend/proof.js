// The proof that an account's balance is counted in what the venue owes, checked as docs/proof.md says: SHA-256 of
// lines of text, from the account's leaf up to the root.

const MOST = 2n ** 63n - 1n;

/** Why something proves nothing. */
export class ProofError extends Error {}

/** Whether this page may compute hashes: browsers allow it on https and localhost alone. */
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
 * Check all tokens of an answer of /api/proof.
 * @param {any} proof
 * @param {string} account whose proof it must be
 * @throws {ProofError}
 */
export async function checkProof(proof, account) {
  for (const token of proof.tokens) await checkToken(proof, token, account);
}

async function checkToken(proof, token, account) {
  const { symbol, leaf, path, root } = token;
  const fail = (reason) => {
    throw new ProofError(`${symbol}: ${reason}`);
  };
  const total = (text) => {
    const value = /^[1-9]\d{0,18}$/.test(text) ? BigInt(text) : 0n;
    return value > 0n && value <= MOST ? value : fail(`${text} is not a possible total`);
  };
  if (leaf.account !== account) fail(`the leaf is of ${leaf.account}`);
  const sides = way(leaf.place, root.leaves);
  if (!sides || sides.join() !== path.map((step) => step.side).join()) fail("the way does not fit the leaf's place");
  let sum = total(leaf.units);
  let hash = await sha256(`peakedex-leaf 1 ${proof.venue_hash} ${symbol} ${account} ${sum}\n`);
  for (const step of path) {
    const beside = total(step.units);
    const [left, right] =
      step.side === "left"
        ? [`${beside} ${step.hash}`, `${sum} ${hash}`]
        : [`${sum} ${hash}`, `${beside} ${step.hash}`];
    sum = total(String(sum + beside));
    hash = await sha256(`peakedex-node 1 ${left} ${right}\n`);
  }
  if (sum !== total(root.units)) fail(`the totals add up to ${sum}, and the root says ${root.units}`);
  const expected = await sha256(
    `peakedex-root 1 ${proof.venue_hash} ${proof.root_block} ${proof.root_block_id} ${symbol} ${root.leaves} ${sum} ${hash}\n`,
  );
  if (expected !== root.hash) fail("the leaf does not lead to the root");
}

// On which sides the nodes beside the way stand, from the leaf up; null where there is no such leaf.
function way(place, leaves) {
  if (!Number.isSafeInteger(place) || !Number.isSafeInteger(leaves) || place < 0 || place >= leaves) return null;
  const sides = [];
  for (let count = leaves; count > 1; count = Math.ceil(count / 2)) {
    const beside = place % 2 ? place - 1 : place + 1;
    if (beside < count) sides.push(beside < place ? "left" : "right");
    place = Math.floor(place / 2);
  }
  return sides;
}

/**
 * The journal hash after a part of the journal, from the hash before it.
 * @param {string} before 64 hexadecimal digits
 * @param {string} text whole blocks of the journal
 * @param {(done: number) => void} [tell] called with the number of blocks hashed so far
 * @returns {Promise<{hash: string, blocks: number}>}
 */
export async function hashJournal(before, text, tell = () => {}) {
  let hash = before;
  let blocks = 0;
  for (const block of text.split(/^(?=block )/m)) {
    if (!block) continue;
    hash = await sha256(`${hash}\n${block}`);
    blocks += 1;
    if (blocks % 500 === 0) tell(blocks);
  }
  return { hash, blocks };
}
