// Hive nodes: the head of the chain, and broadcasting of a signed transaction.

const TIMEOUT_MS = 8000;
/** @type {Record<string, "in block"|"final">} */
const PLACES = { within_reversible_block: "in block", within_irreversible_block: "final" };

/** No node answered what was asked. Nothing was signed. */
export class NodesError extends Error {}

/** A node's error; `message` is the node's. */
class Refusal extends Error {}

export class Nodes {
  /** @param {string[]} [addresses] asked in turn; several, because any one may fail */
  constructor(addresses = ["https://api.hive.blog", "https://api.deathwing.me"]) {
    this.addresses = addresses;
  }

  /**
   * Time and reference block of the head.
   * @returns {Promise<{time: number, number: number, prefix: number}>} seconds since 1970, and the transaction's fields
   * @throws {NodesError}
   */
  async head() {
    const problems = [];
    for (const address of this.addresses) {
      try {
        const { time, head_block_id: id } = await call(address, "condenser_api.get_dynamic_global_properties", []);
        const bytes = new DataView(Uint8Array.from(id.match(/../g), (pair) => parseInt(pair, 16)).buffer);
        return { time: Date.parse(`${time}Z`) / 1000, number: bytes.getUint16(2), prefix: bytes.getUint32(4, true) };
      } catch (error) {
        problems.push(`${address}: ${error.message}`);
      }
    }
    throw new NodesError(`no Hive node answers: ${problems.join("; ")}`);
  }

  /**
   * Where a transaction is, as the first node that knows it says; null if none does.
   * @param {string} id
   * @returns {Promise<"in block"|"final"|null>} `final`: in an irreversible block
   */
  async whereabouts(id) {
    for (const address of this.addresses) {
      try {
        const { status } = await call(address, "transaction_status_api.find_transaction", { transaction_id: id });
        if (status in PLACES) return PLACES[status];
      } catch {
        // try the next node
      }
    }
    return null;
  }

  /**
   * Send a signed transaction to one node after the other, until one takes it. The same bytes may be sent any number
   * of times: the chain includes a transaction once.
   * @param {any} transaction
   * @returns {Promise<{state: "sent"|"refused"|"unknown", reason: string}>} `refused`: by every node that was asked
   */
  async broadcast(transaction) {
    let reason = "";
    let isRefused = true;
    for (const address of this.addresses) {
      try {
        await call(address, "condenser_api.broadcast_transaction", [transaction]);
        return { state: "sent", reason: "" };
      } catch (error) {
        if (error instanceof Refusal && /duplicate/i.test(error.message)) return { state: "sent", reason: "" };
        if (!(error instanceof Refusal)) isRefused = false;
        reason = error.message;
      }
    }
    return { state: isRefused ? "refused" : "unknown", reason };
  }
}

async function call(address, method, params) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const { result, error } = await response.json();
  if (error) throw new Refusal(String(error.message ?? error).split("\n")[0]);
  if (result === undefined) throw new Error("no result");
  return result;
}
