// Grants that this browser has seen in force, kept for a week, so that it can say which of them have ended.

import { local, localJson } from "../lib/storage.js";

const PREFIX = "peakedex.grants.";
const KEEP_MS = 7 * 86_400_000;
const MAX_GRANTS = 20;

const isText = (value) => typeof value === "string";
const isList = (rows, ...keys) => Array.isArray(rows) && rows.every((row) => keys.every((key) => isText(row?.[key])));

/** What is stored may be garbled. */
const isGrant = (row) => row !== null && typeof row === "object" && isText(row.user) && isText(row.to)
  && isList(row.pairs, "base", "quote") && isList(row.allowances, "symbol", "per_day", "used_today")
  && Number.isSafeInteger(row.band_bps) && Number.isSafeInteger(row.block) && Number.isSafeInteger(row.seen)
  && isText(row.until) && !Number.isNaN(Date.parse(row.until));

export class SeenGrants {
  /** @param {string} account */
  constructor(account) {
    this.key = PREFIX + account;
    const stored = localJson(this.key);
    const isRecent = ({ seen }) => Date.now() - seen < KEEP_MS;
    /** @type {any[]} rows of /api/grants, newest first; `seen`: when last, in milliseconds since 1970 */
    this.grants = Array.isArray(stored) ? stored.filter((row) => isGrant(row) && isRecent(row)) : [];
  }

  /**
   * Note the grants that are in force now.
   * @param {any[]} given rows of /api/grants
   */
  add(given) {
    const isNow = (grant) => given.some(({ to, block }) => grant.to === to && grant.block === block);
    const now = given.map((grant) => ({ ...grant, seen: Date.now() }));
    this.grants = [...now, ...this.grants.filter((grant) => !isNow(grant))].slice(0, MAX_GRANTS);
    local.setItem(this.key, JSON.stringify(this.grants));
  }
}
