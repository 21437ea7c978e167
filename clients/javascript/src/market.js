// Reading the exchange: market data, accounts, and the live stream. Amounts and prices are decimal text, as the API
// sends them; `units` and `plain` turn them into BigInt and back.

import { addressOf, ApiError, backoff, checkSequence, content, get, parseJson } from "../site/js/lib/api-protocol.js";

const TIMEOUT_MS = 10_000;
const SILENCE_MS = 45_000; // the server sends something at least every 15 s
const ATTEMPTS = 4;
const UNAVAILABLE = new Set([429, 502, 503, 504]);

/** @param {number} ms */
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Client of the read API.
 * @typedef {{kind: "snapshot"|"change"|"head", data: any}} StreamMessage
 */
export class Market {
  /** @param {string|string[]} api addresses of the exchange, such as "https://dex.example.org": the next if one fails */
  constructor(api) {
    this.apis = [api].flat().map((address) => new URL("api/", address.endsWith("/") ? address : `${address}/`).href);
    this.current = 0;
    /** @type {Promise<any>|null} */
    this.known = null;
  }

  /**
   * The body of a path under /api, with retries where the server is busy or cannot be reached.
   * @param {string} path such as "orderbook"
   * @param {Record<string, string|number|null|undefined>} [parameters]
   * @returns {Promise<any>}
   * @throws {ApiError}
   */
  async read(path, parameters = {}) {
    let problem = new ApiError("Cannot reach the server.", 0, "");
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      let wait = backoff(attempt);
      try {
        const answer = await get(addressOf(path, parameters, this.apis[this.current]), parseJson, TIMEOUT_MS);
        if (!UNAVAILABLE.has(answer.response.status)) return content(answer);
        wait = Math.max(wait, 1000 * (Number(answer.response.headers.get("retry-after")) || 0));
        content(answer);
      } catch (error) {
        if (error instanceof ApiError && !UNAVAILABLE.has(error.status)) throw error;
        if (error instanceof ApiError) problem = error;
      }
      this.current = (this.current + 1) % this.apis.length;
      if (attempt < ATTEMPTS) await pause(wait);
    }
    throw problem;
  }

  /** Tokens, pairs and escrow accounts; kept, so ask again with `refresh` after a listing. */
  venue({ refresh = false } = {}) {
    if (refresh || !this.known) {
      this.known = this.read("venue").catch((error) => {
        this.known = null;
        throw error;
      });
    }
    return this.known;
  }

  /** @param {string} pair such as "PEK/SWAP.HIVE" @param {number} [depth] levels a side */
  orderBook(pair, depth) {
    return this.read("orderbook", { ...sides(pair), depth });
  }

  /** The newest trades. @param {string} pair @param {number} [limit] */
  async trades(pair, limit) {
    return (await this.read("history", { ...sides(pair), limit })).trades;
  }

  /** Rows by symbol. @param {string} user @returns {Promise<Record<string, any>>} */
  async balances(user) {
    const { balances } = await this.read("balances", { user });
    return Object.fromEntries(balances.map((row) => [row.symbol, row]));
  }

  /** Open orders. @param {string} user @param {string} [pair] */
  async openOrders(user, pair) {
    return (await this.read("orders", { user, status: "open", limit: 1000, ...(pair ? sides(pair) : {}) })).orders;
  }

  /**
   * The live stream, without gaps: each topic begins with a snapshot, and after a gap it begins again. It ends with
   * `signal`, or when the loop over it is left.
   * @param {string[]} topics such as "book:PEK/SWAP.HIVE", "account:alice"
   * @param {{signal?: AbortSignal}} [options]
   * @returns {AsyncGenerator<StreamMessage>}
   */
  async *stream(topics, { signal } = {}) {
    let seq = null;
    let lastId = null;
    let failures = 0;
    while (!signal?.aborted) {
      const connection = new AbortController();
      const stop = () => connection.abort();
      signal?.addEventListener("abort", stop, { once: true });
      try {
        const url = addressOf("stream", { topics: topics.join(","), last_event_id: lastId }, this.apis[this.current]);
        for await (const { id, event, data } of events(url, connection)) {
          failures = 0;
          if (id) lastId = id;
          if (event === "reset") {
            seq = lastId = null;
          } else if (event === "change") {
            const place = checkSequence(seq, data);
            if (place === "gap") {
              seq = lastId = null;
              break;
            }
            if (place === "duplicate") continue;
          }
          if (event === "snapshot" || event === "change") seq = data.seq;
          if (event !== "reset") yield { kind: event, data };
        }
      } catch (error) {
        if (error instanceof ApiError && error.status === 400) throw error;
      } finally {
        stop();
        signal?.removeEventListener("abort", stop);
      }
      failures += 1;
      this.current = (this.current + 1) % this.apis.length;
      if (!signal?.aborted) await pause(backoff(failures));
    }
  }
}

function sides(pair) {
  const [base, quote] = pair.split("/");
  return { base, quote };
}

// Server-sent events of one connection, which is given up after a long silence.
async function* events(url, connection) {
  const watch = () => setTimeout(() => connection.abort(), SILENCE_MS);
  let timer = watch();
  try {
    const response = await fetch(url, { signal: connection.signal, headers: { Accept: "text/event-stream" } });
    if (!response.ok) content({ response, body: parseJson(await response.text()) });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    let text = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      clearTimeout(timer);
      timer = watch();
      text += decoder.decode(part.value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
        if (fields.event) yield { id: fields.id, event: fields.event, data: parseJson(fields.data ?? "") };
      }
    }
  } finally {
    clearTimeout(timer);
  }
}
