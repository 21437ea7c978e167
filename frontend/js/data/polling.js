// Polling in place of the stream: reads the same data from the API's other paths, as messages of the same shape.

import { read } from "./api.js";

const BOOK_DEPTH = 200;
const MAX_TRADES = 60;
const MAX_ORDERS = 1000;

/**
 * The current head, after a snapshot if there is a new block.
 * @param {string[]} topics
 * @param {number|null} lastBlock of the previous poll
 * @returns {Promise<import("./feed.js").Message[]>}
 */
export async function poll(topics, lastBlock) {
  const { block, ts, journal_hash: journalHash, indexer } = await read("health");
  const head = {
    kind: "head",
    data: { block, ts, lag: indexer?.lag ?? null, mode: indexer?.mode ?? null, waiting_for: indexer?.waiting_for ?? null },
  };
  if (block === lastBlock) return [head];
  const data = { seq: null, block, ts, journal_hash: journalHash, books: [], trades: [], candles: [], accounts: [] };
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
    data.trades.push({ base, quote, trades: (await read("history", { base, quote, limit: MAX_TRADES })).trades });
  } else if (kind === "candles") {
    const [candle] = (await read("candles", { base, quote, interval, limit: 1 })).candles;
    if (candle) data.candles.push({ base, quote, interval, candle });
  } else if (kind === "account") {
    const [balances, orders, stops] = await Promise.all([
      read("balances", { user: name }),
      read("orders", { user: name, status: "open", limit: MAX_ORDERS }),
      read("orders", { user: name, status: "waiting", limit: MAX_ORDERS }),
    ]);
    data.accounts.push({ user: name, balances: balances.balances, orders: [...orders.orders, ...stops.orders] });
  }
}
