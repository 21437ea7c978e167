// A wallet for practising on a devnet: it signs in this page, and answers exactly like Hive Keychain. Its keys come
// from the devnet itself and own nothing of value. On any other network it refuses to work.

import { address, readVenue } from "./api.js";
import { units } from "./amounts.js";
import { account, choose } from "./session.js";
import { practice as words } from "./strings.js";
import { choose as chooseWallet, provider } from "./wallet.js";

const MAINNET = `beeab0de${"0".repeat(56)}`;
const LIFE_SECONDS = 600;
const ANSWER_MS = 10_000;
const COIN_DECIMALS = 3;
const MAX_JSON_BYTES = 8192;
// For tests: how the next request is answered, in place of the truth. See `played`.
const PLAY = "peakedex.practice.play";

/**
 * Whether one can practise here: on a devnet alone.
 * @param {any} venue the body of /api/venue
 */
export const isOffered = (venue) => venue?.network === "devnet";

/** Whether this browser practises. */
export const isPractising = () => provider() === "practice" && account() !== null;

/**
 * Get an account with money in its wallet and at the venue, and sign with it from now on.
 * @returns {Promise<string>} its name
 */
export async function start() {
  const found = await enter(null);
  chooseWallet("practice");
  choose(found.account);
  return found.account;
}

/** Practise no more. */
export function stop() {
  entered = null;
  choose(null);
  chooseWallet("keychain");
}

let entered = null;

/**
 * The wallet, with the calls that the page makes of Keychain.
 * @returns {Promise<PracticeWallet>}
 */
export async function connect() {
  const name = account();
  if (!name) throw new Error(words.noAccount);
  if (entered?.name !== name) entered = { name, wallet: enter(name).then((found) => new PracticeWallet(found)) };
  try {
    return await entered.wallet;
  } catch (error) {
    entered = null;
    throw error;
  }
}

/** The account and its key, by the devnet's own word. Never on another network, never under the main chain's id. */
async function enter(name) {
  if (!isOffered(await readVenue())) throw new Error(words.onlyDevnet);
  const found = await post("practice", name === null ? {} : { account: name });
  const settings = await rpc("database_api.get_config", {});
  const chainId = String(found.chain_id).toLowerCase();
  const isKnown = /^[0-9a-f]{64}$/.test(chainId) && settings.HIVE_CHAIN_ID === chainId;
  if (!isKnown || chainId === MAINNET) throw new Error(words.onlyDevnet);
  return { account: String(found.account), wif: String(found.wif), publicKey: String(found.public_key), chainId };
}

async function post(room, body) {
  let response;
  try {
    response = await fetch(address(`devnet/${room}`), {
      method: "POST",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
      credentials: "omit",
    });
  } catch {
    throw new Error(words.away);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || !answer) throw new Error(answer?.detail ?? answer?.error ?? words.away);
  return answer;
}

/** A call of the Hive node; its refusal is thrown as it is, as Keychain's own client does. */
async function rpc(method, params) {
  const answer = await post("rpc", { jsonrpc: "2.0", id: 1, method, params });
  if (answer.error) throw Object.assign(new Error(answer.error.message), { isNodes: true, raw: answer.error });
  return answer.result;
}

class PracticeWallet {
  constructor({ account: name, wif, publicKey, chainId }) {
    this.name = name;
    this.wif = wif;
    this.publicKey = publicKey;
    this.chainId = chainId;
    this.current_id = 1;
    this.requests = {};
    this.open = null;
  }

  requestHandshake(callback) {
    setTimeout(callback);
  }

  requestCustomJson(username, id, method, json, message, callback) {
    const data = { type: "custom", username, id, method, json, display_msg: message };
    const isComplete = Boolean(username && id && message) && method === "Active" && typeof json === "string";
    this.take(data, isComplete, callback, () => ["custom_json", {
      required_auths: [username], required_posting_auths: [], id, json,
    }]);
  }

  requestTransfer(username, to, amount, memo, currency, callback, enforce = false) {
    const data = { type: "transfer", username, to, amount, memo, enforce, currency };
    const isComplete = Boolean(to && currency) && /^\d+\.\d{3}$/.test(amount) && typeof memo === "string";
    this.take(data, isComplete, callback, () => ["transfer", { from: username, to, amount: `${amount} ${currency}`, memo }]);
  }

  take(data, isComplete, callback, operation) {
    const id = this.current_id;
    this.current_id += 1;
    this.requests[id] = callback;
    const answer = (said) => {
      const waiting = this.requests[id];
      delete this.requests[id];
      if (this.open === cancel) this.open = null;
      waiting?.({ success: false, error: null, result: null, ...said, data, request_id: id });
    };
    const cancel = () => answer({ error: "ignored", message: "User ignored this transaction" });
    if (!isComplete) {
      answer({ error: "incomplete", message: "Incomplete data or wrong format" });
      return;
    }
    this.open?.();
    this.open = cancel;
    this.work(data, operation()).then((said) => said && answer(said));
  }

  async work(data, operation) {
    const play = played();
    if (play === "silent") return null;
    if (PLAYS[play]) return PLAYS[play](this);
    if (data.username !== this.name) return { error: "user_cancel", message: "Request was canceled by the user." };
    try {
      const { id, transaction } = await this.sign(operation);
      await rpc("condenser_api.broadcast_transaction", [transaction]);
      if (play === "lost") return null;
      const result = { tx_id: id, id, confirmed: false, isUsingMultisig: play === "multisig" };
      return { success: true, result, message: "The transaction has been broadcasted successfully.", publicKey: this.publicKey };
    } catch (error) {
      return { error: error.isNodes ? error.raw : {}, message: `Error : ${error.message}` };
    }
  }

  async sign(operation) {
    if (operation[0] === "custom_json" && new TextEncoder().encode(operation[1].json).length > MAX_JSON_BYTES) {
      throw Object.assign(new Error("Assert Exception:json is too long"), { isNodes: true, raw: { code: -32000 } });
    }
    const head = await rpc("condenser_api.get_dynamic_global_properties", []);
    const expires = Date.parse(`${head.time}Z`) / 1000 + LIFE_SECONDS;
    const reference = bytesOf(head.head_block_id);
    const view = new DataView(reference.buffer);
    const header = { number: view.getUint16(2), prefix: view.getUint32(4, true), expires };
    const unsigned = packed(header, operation);
    const { sha256, signature } = await signer();
    const digest = sha256(joined([bytesOf(this.chainId), unsigned]));
    return {
      id: hex(sha256(unsigned)).slice(0, 40),
      transaction: {
        ref_block_num: header.number,
        ref_block_prefix: header.prefix,
        expiration: new Date(expires * 1000).toISOString().slice(0, 19),
        operations: [operation],
        extensions: [],
        signatures: [hex(signature(digest, secretOf(this.wif, sha256)))],
      },
    };
  }
}

// -- a test's play: one request is answered as Keychain answers in trouble -------------------------------------------

const PLAYS = {
  cancel: () => ({ error: "user_cancel", message: "Request was canceled by the user." }),
  ignored: () => ({ error: "ignored", message: "User ignored this transaction" }),
  incomplete: () => ({ error: "incomplete", message: "Incomplete data or wrong format" }),
  no_wallet: () => ({ error: "no_wallet", message: "You don't have a wallet yet." }),
  empty: () => ({ error: {}, message: "" }),
  node: () => ({ error: { code: -32000 }, message: "Error : <b>Assert Exception</b>: it will not do" }),
};

function played() {
  const play = sessionStorage.getItem(PLAY);
  sessionStorage.removeItem(PLAY);
  return play ?? "";
}

// -- Hive's packing of a transaction with one operation --------------------------------------------------------------

const SYMBOLS = { HIVE: [3, 83, 84, 69, 69, 77, 0, 0], HBD: [3, 83, 66, 68, 0, 0, 0, 0] };

function packed({ number, prefix, expires }, [name, value]) {
  const head = new DataView(new ArrayBuffer(10));
  head.setUint16(0, number, true);
  head.setUint32(2, prefix, true);
  head.setUint32(6, expires, true);
  const body = name === "transfer" ? packedTransfer(value) : packedJson(value);
  return joined([new Uint8Array(head.buffer), [1], body, [0]]);
}

function packedTransfer({ from, to, amount, memo }) {
  const [number, symbol] = amount.split(" ");
  const mils = new DataView(new ArrayBuffer(8));
  mils.setBigInt64(0, units(number, COIN_DECIMALS), true);
  return joined([[2], text(from), text(to), new Uint8Array(mils.buffer), SYMBOLS[symbol], text(memo)]);
}

function packedJson({ required_auths: active, required_posting_auths: posting, id, json }) {
  return joined([[18], varint(active.length), ...active.map(text), varint(posting.length), ...posting.map(text), text(id), text(json)]);
}

function text(value) {
  const bytes = new TextEncoder().encode(value);
  return joined([varint(bytes.length), bytes]);
}

function varint(number) {
  const bytes = [];
  let rest = number;
  for (; rest > 0x7f; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

function joined(parts) {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const bytesOf = (digits) => Uint8Array.from(digits.match(/../g).map((pair) => parseInt(pair, 16)));
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// -- keys ------------------------------------------------------------------------------------------------------------

let signerReady = null;

/** The signing code of others, fetched only when somebody practises. */
function signer() {
  signerReady ??= Promise.all([
    import("./vendor/noble/secp256k1.js"),
    import("./vendor/noble/sha2.js"),
    import("./vendor/noble/hmac.js"),
  ]).then(([curve, { sha256 }, { hmac }]) => {
    curve.hashes.sha256 = sha256;
    curve.hashes.hmacSha256 = (key, message) => hmac(sha256, key, message);
    return { sha256, signature: (digest, secret) => canonical(curve, digest, secret) };
  });
  return signerReady;
}

/** Hive takes a signature only if neither half begins with a set bit or a needless zero: try until it is so. */
function canonical(curve, digest, secret) {
  for (let attempt = 0; ; attempt += 1) {
    const extra = new Uint8Array(32);
    new DataView(extra.buffer).setUint32(28, attempt);
    const made = curve.sign(digest, secret, { prehash: false, format: "recovered", extraEntropy: attempt ? extra : false });
    const isPlain = (at) => made[at] < 0x80 && (made[at] !== 0 || made[at + 1] >= 0x80);
    if (isPlain(1) && isPlain(33)) return Uint8Array.from([made[0] + 31, ...made.slice(1)]);
  }
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** The 32 bytes of a private key in wallet import format. */
function secretOf(wif, sha256) {
  let number = 0n;
  for (const letter of wif) number = number * 58n + BigInt(BASE58.indexOf(letter));
  const raw = bytesOf(number.toString(16).padStart(74, "0"));
  const check = sha256(sha256(raw.slice(0, 33))).slice(0, 4);
  if (raw.length !== 37 || raw[0] !== 0x80 || hex(check) !== hex(raw.slice(33))) throw new Error(words.noKey);
  return raw.slice(1, 33);
}
