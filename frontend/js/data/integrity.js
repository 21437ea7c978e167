// Integrity checks of the API in use: its venue against the pins of config.js, and its journal hashes against those of
// the other APIs and the operator's checkpoint on Hive. Journal hashes cover all blocks before, so two APIs that have
// the same one agree in everything. Being behind is no disagreement: hashes are compared at a block that both have.

import { config } from "../../config.js";
import { grouped } from "../lib/amounts.js";
import { ApiError } from "../lib/api-protocol.js";
import { integrity as strings } from "../strings/integrity.js";
import { apiInUse, read, readFrom, readVenue } from "./api.js";
import { readAgain, readCheckpoints } from "./checkpoints.js";
import { draftMismatch, pinMismatches, pins } from "./pins.js";

const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 5000;
/** A signature waits so long for a check that is under way, and does not trust one that is older than this. */
const MAX_WAIT_MS = 2000;
const MAX_AGE_MS = 150_000;
/** Hashes of earlier checks: an API that is behind, or does not tell a past hash, is compared at one of them. */
const MAX_SAMPLES = 30;
/** An API whose block fell by more has started anew, as a devnet does. */
const MAX_BLOCKS_BACK = 20;
const HASH = /^[0-9a-f]{64}$/;

/**
 * @typedef {{state: "match"|"mismatch"|"unknown"|"unpinned", kind: "pins"|"api"|"checkpoint", name: string, block: number|null,
 *   ts: number, text: string}} Comparison `name`: what was compared; `ts`: when, milliseconds since 1970; `text`: why
 *   the state is what it is, as a sentence
 * @typedef {{block: number, hash: string, venue: string}} Position
 */

/** The API that the comparisons are about. */
let subject = "";
/** @type {Map<string, Comparison>} by kind and name */
const comparisons = new Map();
/** @type {Position[]} of the subject, oldest first */
let samples = [];
/** @type {any} the last body of /api/health; null if it did not answer */
let health = null;
let checkedAt = -Infinity;
/** @type {Promise<void>|null} */
let running = null;
/** @type {Set<() => void>} */
const listeners = new Set();

/** The comparisons so far, and the last answer of /api/health. */
export const integrityState = () => ({ api: subject, comparisons: [...comparisons.values()], health });

/**
 * Call after each check.
 * @param {() => void} listener
 */
export function onIntegrity(listener) {
  listeners.add(listener);
}

/** Why nothing is signed, as sentences. @returns {string[]} */
export const mismatches = () =>
  [...comparisons.values()].filter(({ state }) => state === "mismatch").map(({ text }) => text);

/**
 * Why this draft must not be signed; empty if it may be. Waits for the first check of the page, two seconds at most.
 * @param {import("../wallet/intents.js").Draft} draft
 * @returns {Promise<string>}
 */
export async function signingBlocked(draft) {
  if (performance.now() - checkedAt > MAX_AGE_MS) {
    await Promise.race([checkIntegrity(), new Promise((resolve) => setTimeout(resolve, MAX_WAIT_MS))]);
  }
  const [reason = draftMismatch(draft)] = mismatches();
  return reason && strings.blocked(reason);
}

/** Check now; a check that is under way is not repeated. @returns {Promise<void>} */
export function checkIntegrity() {
  running ??= check().finally(() => {
    running = null;
    checkedAt = performance.now();
    for (const listener of listeners) listener();
  });
  return running;
}

/** Check now, and once a minute while the page is visible. */
export function watchIntegrity() {
  checkIntegrity();
  setInterval(() => document.hidden || checkIntegrity(), INTERVAL_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && performance.now() - checkedAt > INTERVAL_MS) checkIntegrity();
  });
}

async function check() {
  health = await read("health").catch(() => null);
  if (subject !== apiInUse()) {
    subject = apiInUse();
    samples = [];
    comparisons.clear();
  }
  const position = positionOf(health);
  if (position) addSample(position);
  const others = config.apis.filter((api) => api !== subject);
  await Promise.all([
    compare("pins", strings.venueFile, comparePins),
    compare("checkpoint", strings.checkpoint, () => compareCheckpoint(position)),
    ...others.map((api) => compare("api", host(api), () => compareApi(api, position))),
  ]);
}

/** Compare and record the result. What cannot be compared does not replace a mismatch. */
async function compare(kind, name, work) {
  let found;
  try {
    found = await work();
  } catch (error) {
    found = unknown(error instanceof ApiError && error.status === 0 ? strings.silent : strings.invalid);
  }
  const key = `${kind} ${name}`;
  if (found.state === "unknown" && comparisons.get(key)?.state === "mismatch") return;
  comparisons.set(key, { block: null, ...found, kind, name, ts: Date.now() });
}

const unknown = (text) => ({ state: "unknown", text });

/** Block, journal hash and venue hash; null if the answer has no valid ones. @returns {Position|null} */
function positionOf(body) {
  const { block, journal_hash: hash, venue_hash: venue } = body ?? {};
  return Number.isSafeInteger(block) && block >= 0 && HASH.test(hash) && HASH.test(venue) ? { block, hash, venue } : null;
}

function addSample(position) {
  if (samples.some(({ block }) => block > position.block + MAX_BLOCKS_BACK)) {
    samples = [];
    comparisons.clear();
  }
  samples = samples.filter(({ block }) => block < position.block).concat(position).slice(-MAX_SAMPLES);
}

// -- the venue's pins ------------------------------------------------------------------------------------------------

async function comparePins() {
  if (!pins) return { state: "unpinned", text: strings.notPinned };
  // The object that the page's forms use, not another answer to the same question.
  const venue = await readVenue();
  const found = new Set(pinMismatches(host(subject), venue));
  if (health && health.venue_hash !== null && health.venue_hash !== pins.venueHash) found.add(strings.otherVenue(host(subject)));
  if (found.size) return { state: "mismatch", text: [...found].join(" ") };
  return { state: "match", text: strings.pinsMatch(venue.tokens.length) };
}

// -- the other APIs --------------------------------------------------------------------------------------------------

async function compareApi(api, position) {
  const found = await compareHashes(api, position);
  return found.state === "mismatch" ? compareHashes(api, position) : found; // asked again, before it is said
}

async function compareHashes(api, position) {
  const theirs = positionOf(await readFrom(api, "health", TIMEOUT_MS));
  if (!theirs || !position) return unknown(strings.noBlock);
  if (theirs.venue !== position.venue) return { state: "mismatch", text: strings.venuesDiffer(host(api), host(subject)) };
  // The newest of our hashes whose block the other has, else the other's newest.
  const ours = samples.findLast(({ block }) => block <= theirs.block);
  const block = ours?.block ?? theirs.block;
  const one = ours?.hash ?? (await readHash(subject, block));
  const other = block === theirs.block ? theirs.hash : await readHash(api, block);
  return verdict(one, other, block, strings.journalsDiffer(host(api), host(subject), grouped(String(block))));
}

function verdict(one, other, block, difference) {
  if (one === null || other === null) return unknown(strings.noSuchBlock(grouped(String(block))));
  return one === other ? { state: "match", text: strings.sameHash(one.slice(0, 16)), block } : { state: "mismatch", text: difference, block };
}

/** An API's journal hash after a block; null if it does not have the block. @throws {ApiError} */
async function readHash(api, block) {
  try {
    const { journal_hash: hash } = await readFrom(api, `blocks/${block}`, TIMEOUT_MS);
    return HASH.test(hash) ? hash : null;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

// -- the operator's checkpoint ---------------------------------------------------------------------------------------

async function compareCheckpoint(position) {
  const venue = await readVenue();
  const reading = await readCheckpoints(venue);
  const found = await compareReading(reading, position);
  if (found.state !== "mismatch") return found;
  // One node's word does not stop trading where another can be asked.
  const second = await readAgain(venue, reading?.node ?? "");
  const again = second ? await compareReading(second, position) : found;
  return again.state === "mismatch" ? again : unknown(strings.nodesDiffer(host(reading?.node ?? "")));
}

async function compareReading(reading, position) {
  if (!reading) return unknown(strings.nodesSilent);
  if (!position) return unknown(strings.noBlock);
  if (!reading.checkpoints.length) return unknown(strings.noCheckpoint);
  const newest = reading.checkpoints.find(({ block }) => block <= position.block);
  if (!newest) return unknown(strings.checkpointAhead);
  const difference = strings.checkpointDiffers(newest.account, grouped(String(newest.block)), host(subject));
  return verdict(await readHash(subject, newest.block), newest.hash, newest.block, difference);
}

/** A short name of an address, for sentences: its host, and the path where it is not /api/. */
function host(address) {
  try {
    const url = new URL(address);
    return url.host + (["/", "/api/"].includes(url.pathname) ? "" : url.pathname.replace(/\/$/, ""));
  } catch {
    return address;
  }
}
