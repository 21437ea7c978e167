// Orders from draft to end. An intent whose answer is lost is found again by its `ref`, and never signed twice.

import { baseUnits, lotsOf, market, units } from "../site/js/lib/amounts.js";
import { IntentError } from "../site/js/wallet/intent-checks.js";
import { cancel, cancelAll, cancelWithdrawal, limitOrder, marketOrder, replace, withdraw } from "../site/js/wallet/intents.js";
import { ApiError } from "../site/js/lib/api-protocol.js";
import { Market, pause } from "./market.js";
import { Nodes } from "./nodes.js";

if (!globalThis.crypto) globalThis.crypto = /** @type {any} */ ((await import("node:crypto")).webcrypto); // Node 18

const EXPIRES_SECONDS = 60;
const POLL_MS = 1000;
const POLLS_BEFORE_RESEND = 5;
const REF = /^(?!-$)[A-Za-z0-9_.-]{1,32}$/;
const INCLUDED = new Set(["in block", "final"]);
const ENDS = new Set(["open", "waiting", "filled", "cancelled", "expired", "triggered", "accepted", "rejected", "not included"]);

/**
 * A signed intent; plain data, so keep it as JSON and go on with it in another process.
 * `state`: "signed", "sent", "unknown" (no node said what became of it), "refused" (by every node), "in block" or "final"
 * (in an irreversible block) while it is undecided; then "open", "waiting" (a stop), "filled", "cancelled", "expired", "triggered", "accepted" (an action that
 * is no order), "rejected" (with `code` and `reason`), or "not included" (its deadline passed; it never happens).
 * @typedef {{ref: string, account: string, user: string, action: string, notAfter: number, state: string,
 *   id: string|null, transaction: any, code: string|null, reason: string, block: number|null, order: any}} Ticket
 */

export class Trader {
  /**
   * @param {{api: string|string[]|Market, nodes?: string[], account: string, signer: import("./signers.js").Signer,
   *   actingFor?: string, authority?: "active"|"posting", expiresIn?: number, tickets?: Ticket[],
   *   onSigned?: (ticket: Ticket) => void|Promise<void>}} options `account` signs; `actingFor`: an account that has given
   *   it a grant; `expiresIn` in seconds; `onSigned` is awaited before anything is sent: write the ticket to disk
   *   there, and give `tickets` what is on disk after a restart
   */
  constructor({ api, nodes, account, signer, actingFor, authority = "active", expiresIn = EXPIRES_SECONDS, tickets = [], onSigned = () => {} }) {
    this.market = api instanceof Market ? api : new Market(api);
    this.nodes = new Nodes(nodes);
    this.account = account;
    this.user = actingFor ?? account;
    this.signer = signer;
    this.authority = authority;
    this.expiresIn = expiresIn;
    this.onSigned = onSigned;
    /** @type {Map<string, Promise<Ticket>>} by references of the caller's own */
    this.tickets = new Map(tickets.map((ticket) => [ticket.ref, Promise.resolve(ticket)]));
  }

  // -- drafts. Amounts and prices are decimal text, or BigInt for whole numbers ---------------------------------------

  /**
   * @param {"buy"|"sell"} side
   * @param {string} pair such as "PEK/SWAP.HIVE"
   * @param {{quantity: string|bigint, price: string|bigint, expiration?: number, timeInForce?: "GTC"|"IOC"|"FOK",
   *   postOnly?: boolean, trigger?: {price: string, when: "above"|"below"}, protect?: {stop: string, limit: string}}} order
   * @returns {Promise<import("../site/js/wallet/intents.js").Draft>}
   * @throws {IntentError} the exchange would reject it
   */
  async limit(side, pair, { quantity, price, trigger, protect, ...rest }) {
    const { venue, found } = await this.pair(pair);
    const ticks = (text) => amount("price", text, found.priceDecimals);
    return limitOrder(venue, this.account, {
      side,
      base: found.base,
      quote: found.quote,
      lots: lots(found, quantity),
      ticks: ticks(price),
      ...rest,
      ...(trigger ? { trigger: { ticks: ticks(trigger.price), when: trigger.when } } : {}),
      ...(protect ? { protect: { stopTicks: ticks(protect.stop), limitTicks: ticks(protect.limit) } } : {}),
    });
  }

  /** Spend a budget of quote, at this price or better. @param {string} pair @param {{budget: string|bigint, worst: string|bigint}} order */
  async marketBuy(pair, { budget, worst }) {
    const { venue, found } = await this.pair(pair);
    const both = { budget: amount("total", budget, found.quotePrecision), worst: amount("price", worst, found.priceDecimals) };
    return marketOrder(venue, this.account, { side: "buy", base: found.base, quote: found.quote, ...both });
  }

  /** Sell a quantity, at this price or better. @param {string} pair @param {{quantity: string|bigint, worst: string|bigint}} order */
  async marketSell(pair, { quantity, worst }) {
    const { venue, found } = await this.pair(pair);
    const both = { lots: lots(found, quantity), worst: amount("price", worst, found.priceDecimals) };
    return marketOrder(venue, this.account, { side: "sell", base: found.base, quote: found.quote, ...both });
  }

  /** @param {any} order a row of /api/orders, or a ticket's `order` */
  async cancel(order) {
    return cancel(await this.market.venue(), this.account, order);
  }

  /** All open orders and stops, or those of one pair. @param {string} [pair] */
  async cancelAll(pair) {
    const [base, quote] = pair?.split("/") ?? [];
    return cancelAll(await this.market.venue(), this.account, { base, quote });
  }

  /** @param {any} order a row of /api/orders @param {{quantity?: string|bigint, price?: string|bigint}} change */
  async replace(order, { quantity, price }) {
    const { venue, found } = await this.pair(`${order.base}/${order.quote}`);
    return replace(venue, this.account, order, {
      ...(quantity === undefined ? {} : { lots: lots(found, quantity) }),
      ...(price === undefined ? {} : { ticks: amount("price", price, found.priceDecimals) }),
    });
  }

  /** @param {string} symbol @param {{quantity: string|bigint, to?: string, memo?: string}} what `quantity` may be "all" */
  async withdraw(symbol, { quantity, to, memo }) {
    const venue = await this.market.venue();
    if (quantity === "all") return withdraw(venue, this.account, { symbol, all: true, to, memo });
    const token = venue.tokens.find((row) => row.symbol === symbol);
    return withdraw(venue, this.account, { symbol, units: amount("quantity", quantity, token?.precision ?? 8), to, memo });
  }

  /** @param {any} withdrawal a row of /api/withdrawals */
  async cancelWithdrawal(withdrawal) {
    return cancelWithdrawal(await this.market.venue(), this.account, withdrawal);
  }

  /** @param {string} name such as "PEK/SWAP.HIVE" */
  async pair(name) {
    const venue = await this.market.venue();
    const [base, quote] = name.split("/");
    const found = market(venue, base, quote);
    if (!found) throw new IntentError("pair", `${name} is not listed.`);
    return { venue, found };
  }

  // -- sending and following ------------------------------------------------------------------------------------------

  /**
   * Sign and send a draft. With a `ref` that this trader or the exchange knows, nothing is signed: that intent's ticket
   * is returned.
   * @param {import("../site/js/wallet/intents.js").Draft} draft
   * @param {{ref?: string}} [options] a reference of your own for this decision: letters, digits, `_`, `.`, `-`, at most 32
   * @returns {Promise<Ticket>}
   * @throws {import("./signers.js").SigningError} or NodesError, ApiError: nothing was signed
   */
  async place(draft, { ref } = {}) {
    if (ref === undefined) return this.signAndSend(draft, draft.ref);
    if (!REF.test(ref)) throw new IntentError("ref", "1 to 32 letters, digits, _ . -");
    let ticket = this.tickets.get(ref);
    if (!ticket) {
      ticket = this.find(ref).then((known) => known ?? this.signAndSend(draft, ref));
      this.tickets.set(ref, ticket);
      ticket.catch(() => this.tickets.delete(ref)); // nothing was signed
    }
    return ticket;
  }

  async signAndSend(draft, ref) {
    const hasRef = draft.elements?.some(({ contractPayload }) => "ref" in contractPayload);
    if (!hasRef) throw new TypeError("place() sends actions of the exchange; send a deposit with your wallet");
    const head = await this.nodes.head();
    const notAfter = head.time + this.expiresIn;
    const signers = this.authority === "posting" ? [[], [this.account]] : [[this.account], []];
    /** @type {[string, any]} */
    const operation = ["custom_json", {
      required_auths: signers[0],
      required_posting_auths: signers[1],
      id: draft.id,
      json: completed(draft, { ref, notAfter, ...(this.user === this.account ? {} : { for: this.user }) }),
    }];
    const transaction = {
      ref_block_num: head.number,
      ref_block_prefix: head.prefix,
      expiration: new Date(notAfter * 1000).toISOString().slice(0, 19),
      operations: [operation],
      extensions: [],
    };
    const ticket = {
      ref, account: this.account, user: this.user, action: draft.action, notAfter, state: "signed", id: null,
      transaction: null, code: null, reason: "", block: null, order: null,
    };
    const request = { account: this.account, authority: this.authority, message: draft.message, operation, transaction };
    const signed = await this.signer(request);
    ticket.id = signed.id ?? null;
    ticket.transaction = signed.transaction ?? null;
    await this.onSigned(ticket);
    if (ticket.transaction) await this.send(ticket);
    else ticket.state = ticket.id ? "sent" : "unknown";
    return ticket;
  }

  /** Send the same bytes again. @param {Ticket} ticket */
  async send(ticket) {
    const { state, reason } = await this.nodes.broadcast(ticket.transaction);
    // A node that refuses it now may have taken it before.
    if (state === "sent" || ticket.state !== "sent") Object.assign(ticket, { state, reason });
  }

  /**
   * Follow an intent to its end; meanwhile it is sent again, the same bytes.
   * @param {Ticket} ticket is updated
   * @param {{timeout?: number}} [options] in milliseconds; by default until its deadline has passed on the chain
   * @returns {Promise<Ticket>} decided, unless `timeout` passed
   */
  async wait(ticket, { timeout = Infinity } = {}) {
    const until = Date.now() + timeout;
    for (let polls = 1; ; polls += 1) {
      try {
        if (await this.update(ticket)) return ticket;
        await this.locate(ticket);
        const isLost = ticket.transaction && !INCLUDED.has(ticket.state);
        if (isLost && polls % POLLS_BEFORE_RESEND === 0) await this.send(ticket);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
      }
      if (Date.now() + POLL_MS > until) return ticket;
      await pause(POLL_MS);
    }
  }

  /**
   * Read once what the exchange knows of an intent.
   * @param {Ticket} ticket is updated
   * @returns {Promise<boolean>} whether it is decided
   */
  async update(ticket) {
    let seenUntil = Infinity;
    for (const user of new Set([ticket.user, ticket.account])) { // a rejected one is its signer's
      const { intents, ts } = await this.market.read("intents", { user, ref: ticket.ref });
      const row = intents.at(-1);
      if (row) {
        await this.decide(ticket, row);
        return true;
      }
      seenUntil = Math.min(seenUntil, ts ? Date.parse(ts) / 1000 : 0);
    }
    // Only irreversible blocks are read, and in a later one it would be rejected as too late.
    if (seenUntil > ticket.notAfter) ticket.state = "not included";
    return ENDS.has(ticket.state);
  }

  // What the nodes say is no decision: a fork can drop a block, and the exchange may reject what is in it.
  async locate(ticket) {
    const place = ticket.id ? await this.nodes.whereabouts(ticket.id) : null;
    if (place) Object.assign(ticket, { state: place, reason: "" });
    else if (INCLUDED.has(ticket.state)) ticket.state = "sent";
  }

  async decide(ticket, row) {
    Object.assign(ticket, { id: row.id, block: row.block, code: row.code, reason: row.error ?? "" });
    if (row.status === "rejected") {
      ticket.state = "rejected";
    } else if (row.order) {
      ticket.order = (await this.market.read(`orders/${row.order}`)).order;
      ticket.state = ticket.order.status;
    } else {
      ticket.state = "accepted";
    }
  }

  /**
   * The ticket of an intent that the exchange has decided; null if it knows none with this reference.
   * @param {string} ref
   * @returns {Promise<Ticket|null>}
   */
  async find(ref) {
    const ticket = {
      ref, account: this.account, user: this.user, action: "", notAfter: Infinity, state: "unknown", id: null,
      transaction: null, code: null, reason: "", block: null, order: null,
    };
    return (await this.update(ticket)) ? ticket : null;
  }
}

function completed(draft, change) {
  const elements = draft.elements.map((element) => {
    const isOurs = "ref" in element.contractPayload; // a deposit in front of an order has none
    return isOurs ? { ...element, contractPayload: { ...element.contractPayload, ...change } } : element;
  });
  return JSON.stringify(elements.length === 1 ? elements[0] : elements);
}

// Exact: no number is rounded, and floats are refused, because their decimals are not what was written.
function amount(field, value, decimals) {
  if (typeof value === "number") throw new IntentError(field, `Give ${value} as text, "${value}": numbers are floats.`);
  try {
    return units(String(value), decimals);
  } catch {
    throw new IntentError(field, `${value} is not a decimal number with at most ${Math.max(0, decimals)} decimals.`);
  }
}

function lots(pair, quantity) {
  const base = amount("quantity", quantity, pair.basePrecision);
  const whole = lotsOf(pair, base);
  if (baseUnits(pair, whole) !== base) throw new IntentError("quantity", `${quantity} is not a whole number of lots.`);
  return whole;
}
