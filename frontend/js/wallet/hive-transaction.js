// Serialization and signing of Hive transactions with one operation, for the practice wallet.

import { units } from "../lib/amounts.js";
import { practice as strings } from "../strings/wallet.js";
import { jsonBytes, MAX_JSON_BYTES } from "./intents.js";

const EXPIRATION_SECONDS = 600;
const COIN_DECIMALS = 3;
const TRANSFER = 2; // operation numbers of the protocol
const CUSTOM_JSON = 18;

/**
 * @param {[string, any]} operation `transfer` or `custom_json`
 * @param {{time: string, head_block_id: string}} head the dynamic global properties
 * @param {{wif: string, chainId: string}} key
 * @returns {Promise<{id: string, transaction: object}>}
 */
export async function signTransaction(operation, head, { wif, chainId }) {
  if (operation[0] === "custom_json" && jsonBytes(operation[1].json) > MAX_JSON_BYTES) {
    throw Object.assign(new Error("Assert Exception:json is too long"), { raw: { code: -32000 } }); // as a node answers
  }
  const expires = Date.parse(`${head.time}Z`) / 1000 + EXPIRATION_SECONDS;
  const blockId = new DataView(fromHex(head.head_block_id).buffer);
  const header = { blockNumber: blockId.getUint16(2), blockPrefix: blockId.getUint32(4, true), expires };
  const unsigned = serialize(header, operation);
  const { sha256, sign } = await loadCurve();
  const digest = sha256(concat([fromHex(chainId), unsigned]));
  return {
    id: toHex(sha256(unsigned)).slice(0, 40),
    transaction: {
      ref_block_num: header.blockNumber,
      ref_block_prefix: header.blockPrefix,
      expiration: new Date(expires * 1000).toISOString().slice(0, 19),
      operations: [operation],
      extensions: [],
      signatures: [toHex(sign(digest, privateKey(wif, sha256)))],
    },
  };
}

// -- serialization ---------------------------------------------------------------------------------------------------

const SYMBOLS = { HIVE: [3, 83, 84, 69, 69, 77, 0, 0], HBD: [3, 83, 66, 68, 0, 0, 0, 0] };

function serialize({ blockNumber, blockPrefix, expires }, [name, value]) {
  const head = new DataView(new ArrayBuffer(10));
  head.setUint16(0, blockNumber, true);
  head.setUint32(2, blockPrefix, true);
  head.setUint32(6, expires, true);
  const body = name === "transfer" ? transferBytes(value) : customJsonBytes(value);
  return concat([new Uint8Array(head.buffer), [1], body, [0]]);
}

function transferBytes({ from, to, amount, memo }) {
  const [number, symbol] = amount.split(" ");
  const mils = new DataView(new ArrayBuffer(8));
  mils.setBigInt64(0, units(number, COIN_DECIMALS), true);
  return concat([[TRANSFER], textBytes(from), textBytes(to), new Uint8Array(mils.buffer), SYMBOLS[symbol], textBytes(memo)]);
}

function customJsonBytes({ required_auths: active, required_posting_auths: posting, id, json }) {
  return concat([
    [CUSTOM_JSON], varint(active.length), ...active.map(textBytes), varint(posting.length), ...posting.map(textBytes),
    textBytes(id), textBytes(json),
  ]);
}

function textBytes(value) {
  const bytes = new TextEncoder().encode(value);
  return concat([varint(bytes.length), bytes]);
}

function varint(number) {
  const bytes = [];
  let rest = number;
  for (; rest > 0x7f; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

const concat = (parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const fromHex = (digits) => Uint8Array.from(digits.match(/../g).map((pair) => parseInt(pair, 16)));
const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// -- signing ---------------------------------------------------------------------------------------------------------

let curve = null;

/** The vendored secp256k1 implementation, loaded on first use. */
function loadCurve() {
  curve ??= Promise.all([
    import("../../vendor/noble/secp256k1.js"),
    import("../../vendor/noble/sha2.js"),
    import("../../vendor/noble/hmac.js"),
  ]).then(([secp256k1, { sha256 }, { hmac }]) => {
    secp256k1.hashes.sha256 = sha256;
    secp256k1.hashes.hmacSha256 = (key, message) => hmac(sha256, key, message);
    return { sha256, sign: (digest, secret) => signCanonical(secp256k1, digest, secret) };
  });
  return curve;
}

/** Hive accepts canonical signatures only (no half with a set top bit or a redundant zero): retry until it is one. */
function signCanonical(secp256k1, digest, secret) {
  for (let attempt = 0; ; attempt += 1) {
    const extra = new Uint8Array(32);
    new DataView(extra.buffer).setUint32(28, attempt);
    const bytes = secp256k1.sign(digest, secret, { prehash: false, format: "recovered", extraEntropy: attempt ? extra : false });
    const isCanonical = (at) => bytes[at] < 0x80 && (bytes[at] !== 0 || bytes[at + 1] >= 0x80);
    if (isCanonical(1) && isCanonical(33)) return Uint8Array.from([bytes[0] + 31, ...bytes.slice(1)]);
  }
}

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** The 32 bytes of a private key in wallet import format. */
function privateKey(wif, sha256) {
  let number = 0n;
  for (const letter of wif) number = number * 58n + BigInt(BASE58.indexOf(letter));
  const raw = fromHex(number.toString(16).padStart(74, "0"));
  const checksum = sha256(sha256(raw.slice(0, 33))).slice(0, 4);
  if (raw.length !== 37 || raw[0] !== 0x80 || toHex(checksum) !== toHex(raw.slice(33))) throw new Error(strings.noKey);
  return raw.slice(1, 33);
}
