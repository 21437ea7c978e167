// What the stream would say, asked of the other paths of the API: where the stream cannot be had.

import { read } from "./api.js";

const BOOK_DEPTH = 200;
const TRADES = 60;
const ORDERS = 1000;

/**
 * A snapshot where there is a newer block, and the head.
 * @param {string[]} topics
 * @param {number|null} seen the block of the last time
 * @returns {Promise<import("./feed.js").Message[]>}
 */
export async function readAll(topics, seen) {
  const health = await read("health");
  const head = {
    kind: "head",
    data: {
      block: health.block,
      ts: health.ts,
      lag: health.indexer?.lag ?? null,
      mode: health.indexer?.mode ?? null,
      waiting_for: health.indexer?.waiting_for ?? null,
    },
  };
  if (health.block === seen) return [head];
  const data = {
    seq: null,
    block: health.block,
    ts: health.ts,
    journal_hash: health.journal_hash,
    books: [],
    trades: [],
    candles: [],
    accounts: [],
  };
  const results = await Promise.allSettled(topics.map((topic) => readTopic(topic, data)));
  const failed = results.filter((result) => result.status === "rejected");
  if (failed.length && failed.length === topics.length) throw failed[0].reason;
  return [{ kind: "snapshot", data }, head];
}

async function readTopic(topic, data) {
  const [kind, name = "", interval] = topic.split(":");
  const [base, quote] = name.split("/");
  if (kind === "book" && quote) {
    const book = await read("orderbook", { base, quote, depth: BOOK_DEPTH });
    data.books.push({ base, quote, bids: book.bids, asks: book.asks });
  } else if (kind === "trades" && quote) {
    data.trades.push({ base, quote, trades: (await read("history", { base, quote, limit: TRADES })).trades });
  } else if (kind === "candles") {
    const [candle] = (await read("candles", { base, quote, interval, limit: 1 })).candles;
    if (candle) data.candles.push({ base, quote, interval, candle });
  } else if (kind === "account") {
    const [balances, orders] = await Promise.all([
      read("balances", { user: name }),
      read("orders", { user: name, status: "open", limit: ORDERS }),
    ]);
    data.accounts.push({ user: name, balances: balances.balances, orders: orders.orders });
  }
}
