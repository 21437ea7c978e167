// The JavaScript client on the devnet: reads a job from standard input, trades, and prints what it saw as JSON.
// Between it and the node stands a server that loses what the job says.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import dhive from "@hiveio/dhive";
import { dhiveSigner, IntentError, Market, Trader } from "peakedex-client";

const job = JSON.parse(readFileSync(0, "utf8"));
const PAIR = "PEK/SWAP.HIVE";

/** What happens to the next broadcasts: "reply" (taken, the answer is lost), "request" (never arrives), else nothing. */
const losses = [];
let broadcasts = [];

const proxy = createServer(async (request, response) => {
  let body = "";
  for await (const part of request) body += part;
  const call = JSON.parse(body);
  let loss = null;
  if (call.method.endsWith("broadcast_transaction")) {
    broadcasts.push(JSON.stringify(call.params));
    loss = losses.shift();
  }
  if (loss === "request") return request.socket.destroy();
  const answer = await fetch(job.node, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  const text = await answer.text();
  if (loss === "reply") return request.socket.destroy();
  return response.end(text);
});
await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));

let signed = 0;
const sign = dhiveSigner(dhive, () => process.env.TRADER_KEY, job.chainId);
const saved = [];
const options = {
  api: job.api,
  nodes: [`http://127.0.0.1:${proxy.address().port}`],
  account: job.account,
  expiresIn: 600, // the chain's clock runs ahead of this machine's, which may be busy
  signer: (request) => {
    signed += 1;
    return sign(request);
  },
  onSigned: (ticket) => void saved.push(JSON.stringify({ ...ticket, broadcasts: broadcasts.length })),
};
const trader = new Trader(options);

const steps = {
  // A sell at a price that nobody pays; the same reference again; a stream that shows it; its end.
  async life() {
    const stop = new AbortController();
    const seen = (async () => {
      for await (const { data } of trader.market.stream([`account:${job.account}`], { signal: stop.signal })) {
        if (JSON.stringify(data).includes("life-1")) return true;
      }
      return false;
    })();
    const draft = await trader.limit("sell", PAIR, { quantity: "10.50", price: "0.9" });
    const [one, other] = await Promise.all([trader.place(draft, { ref: "life-1" }), trader.place(draft, { ref: "life-1" })]);
    const ticket = await trader.wait(one);
    const before = signed;
    const again = await new Trader(options).place(await trader.limit("sell", PAIR, { quantity: "10.5", price: "0.9" }), { ref: "life-1" });
    const isSeen = await seen;
    stop.abort();
    const replaced = await trader.wait(await trader.place(await trader.replace(ticket.order, { price: "0.95" })));
    const cancelled = await trader.wait(await trader.place(await trader.cancel(replaced.order)));
    const [first] = saved.map((text) => JSON.parse(text));
    return {
      ticket, again, isSeen, isOne: one === other, replaced: replaced.order, cancelled: cancelled.state, signedAgain: signed - before - 2,
      savedBeforeSending: first.ref === "life-1" && first.broadcasts === 0 && first.transaction !== null,
      open: (await trader.market.openOrders(job.account)).length,
      places: [await trader.nodes.whereabouts(ticket.id), await trader.nodes.whereabouts("00".repeat(20))],
    };
  },

  async rejected() {
    const ticket = await trader.wait(await trader.place(await trader.limit("buy", PAIR, { quantity: "9000000", price: "0.9" })));
    return { state: ticket.state, code: ticket.code, reason: ticket.reason };
  },

  // The node takes it, and its answer is lost: it is found again, and it is there once.
  async lostReply() {
    broadcasts = [];
    losses.push("reply");
    const draft = await trader.limit("sell", PAIR, { quantity: "1", price: "0.8" });
    const ticket = await trader.place(draft, { ref: "lost-1" });
    const after = ticket.state;
    // As after a restart: another process goes on with what was saved.
    const restarted = new Trader({ ...options, tickets: saved.map((text) => JSON.parse(text)) });
    const before = signed;
    const restored = await restarted.wait(await restarted.place(draft, { ref: "lost-1" }));
    if (signed !== before) throw new Error("signed twice");
    const { orders } = await trader.market.read("orders", { user: job.account, status: "open" });
    return { after, state: restored.state, orders: orders.filter(({ price }) => price === "0.800000").length };
  },

  // It never arrives at first: the same bytes are sent again.
  async lostRequest() {
    broadcasts = [];
    losses.push("request");
    const ticket = await trader.place(await trader.limit("sell", PAIR, { quantity: "1", price: "0.7" }));
    const after = ticket.state;
    await trader.wait(ticket);
    return { after, state: ticket.state, sent: broadcasts.length, different: new Set(broadcasts).size };
  },

  // It never arrives at all: that is known once the chain has passed its deadline.
  async notIncluded() {
    losses.push(...Array(1000).fill("request"));
    const hasty = new Trader({ ...options, expiresIn: 12 });
    const ticket = await hasty.wait(await hasty.place(await trader.limit("sell", PAIR, { quantity: "1", price: "0.6" })));
    losses.length = 0;
    return { state: ticket.state, order: ticket.order };
  },

  async grantee() {
    const bot = new Trader({ ...options, account: job.bot, actingFor: job.account, signer: dhiveSigner(dhive, () => process.env.BOT_KEY, job.chainId) });
    const ticket = await bot.wait(await bot.place(await bot.cancelAll(PAIR)));
    const forbidden = await bot.wait(await bot.place(await bot.withdraw("PEK", { quantity: "100" })));
    return { state: ticket.state, user: ticket.user, forbidden: [forbidden.state, forbidden.code] };
  },

  async inputs() {
    const problems = [];
    const wrong = [
      { quantity: 10, price: "0.9" }, { quantity: "10", price: 0.9 }, { quantity: "1e3", price: "0.9" },
      { quantity: "10.001", price: "0.9" }, { quantity: "10", price: "0.9000001" }, { quantity: "0", price: "0.9" },
      { quantity: "-1", price: "0.9" }, { quantity: "92233720368547", price: "9999999" },
    ];
    for (const order of wrong) {
      try {
        await trader.limit("sell", PAIR, order);
      } catch (error) {
        if (!(error instanceof IntentError)) throw error;
        problems.push(error.field);
      }
    }
    const small = await trader.limit("sell", PAIR, { quantity: "1", price: "0.9" });
    for (const ref of ["", "-", "two words", "x".repeat(33)]) {
      problems.push(await trader.place(small, { ref }).catch((error) => error instanceof IntentError && error.field));
    }
    const big = await trader.limit("sell", PAIR, { quantity: "90071992547.41", price: "0.000001" });
    const { orders } = await new Market(["http://127.0.0.1:9/", job.api]).read("orders", { user: job.account });
    return { problems, quantity: JSON.parse(big.json).contractPayload.quantity, another: Array.isArray(orders) };
  },
};

const result = {};
for (const step of job.steps) result[step] = await steps[step]();
console.log(JSON.stringify(result));
proxy.close();
process.exit(0);
