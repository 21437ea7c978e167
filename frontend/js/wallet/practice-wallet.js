// Practice wallet of a devnet: signs in this page, with the interface of Hive Keychain. Its keys come from the devnet
// and own nothing of value. It refuses to work on any other network.

import { apiUrl, readVenue } from "../data/api.js";
import { account, setAccount } from "../data/session.js";
import { session } from "../lib/storage.js";
import { practice as strings } from "../strings/wallet.js";
import { signTransaction } from "./hive-transaction.js";
import { setProvider } from "./provider.js";

const MAINNET = `beeab0de${"0".repeat(56)}`;
const TIMEOUT_MS = 10_000;
// Fault injection for tests: the name of the fault for the next request.
const FAULT_KEY = "peakedex.practice.play";

/**
 * Create a funded practice account, choose it, and sign with its keys from now on.
 * @returns {Promise<string>} its name
 */
export async function start() {
  const { account: name } = await readKeys(null);
  setProvider("practice");
  setAccount(name);
  return name;
}

/** Stop using the practice account. */
export function stop() {
  connection = null;
  setAccount(null);
  setProvider("keychain");
}

let connection = null;

/**
 * The wallet of the chosen account.
 * @returns {Promise<PracticeWallet>}
 */
export async function connect() {
  const name = account();
  if (!name) throw new Error(strings.noAccount);
  if (connection?.name !== name) connection = { name, wallet: readKeys(name).then((keys) => new PracticeWallet(keys)) };
  try {
    return await connection.wallet;
  } catch (error) {
    connection = null;
    throw error;
  }
}

/** The account's keys from the devnet; a new account if `name` is null. Refused on other networks and on mainnet's chain id. */
async function readKeys(name) {
  const venue = await readVenue();
  if (venue.network !== "devnet") throw new Error(strings.onlyDevnet);
  const found = await post("practice", name === null ? {} : { account: name });
  const settings = await rpc("database_api.get_config", {});
  const chainId = String(found.chain_id).toLowerCase();
  const isConfirmed = /^[0-9a-f]{64}$/.test(chainId) && settings.HIVE_CHAIN_ID === chainId;
  if (!isConfirmed || chainId === MAINNET) throw new Error(strings.onlyDevnet);
  const key = ({ wif, public_key: publicKey }) => ({ wif: String(wif), publicKey: String(publicKey), chainId });
  return { account: String(found.account), Active: key(found.active), Posting: key(found.posting) };
}

async function post(path, body) {
  let response;
  try {
    response = await fetch(apiUrl(`devnet/${path}`), {
      method: "POST",
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
      credentials: "omit",
    });
  } catch {
    throw new Error(strings.unreachable);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || !answer) throw new Error(answer?.detail ?? answer?.error ?? strings.unreachable);
  return answer;
}

/** Call the devnet's Hive node. Its error is thrown unchanged, as Keychain's own client does. */
async function rpc(method, params) {
  const answer = await post("rpc", { jsonrpc: "2.0", id: 1, method, params });
  if (answer.error) throw Object.assign(new Error(answer.error.message), { raw: answer.error });
  return answer.result;
}

class PracticeWallet {
  /** @param {{account: string, Active: object, Posting: object}} keys by Keychain's names of the methods */
  constructor(keys) {
    this.keys = keys;
    this.current_id = 1;
    this.requests = {};
    this.cancelOpen = null;
  }

  requestHandshake(callback) {
    setTimeout(callback);
  }

  requestCustomJson(username, id, method, json, message, callback) {
    const data = { type: "custom", username, id, method, json, display_msg: message };
    const isComplete = Boolean(username && id && message) && ["Active", "Posting"].includes(method) && typeof json === "string";
    const [active, posting] = method === "Posting" ? [[], [username]] : [[username], []];
    const operation = ["custom_json", { required_auths: active, required_posting_auths: posting, id, json }];
    this.handle(data, isComplete, operation, callback);
  }

  requestTransfer(username, to, amount, memo, currency, callback, enforce = false) {
    const data = { type: "transfer", username, to, amount, memo, enforce, currency };
    const isComplete = Boolean(to && currency) && /^\d+\.\d{3}$/.test(amount) && typeof memo === "string";
    const operation = ["transfer", { from: username, to, amount: `${amount} ${currency}`, memo }];
    this.handle(data, isComplete, operation, callback);
  }

  handle(data, isComplete, operation, callback) {
    const id = this.current_id;
    this.current_id += 1;
    this.requests[id] = callback;
    const answer = (content) => {
      const listener = this.requests[id];
      delete this.requests[id];
      if (this.cancelOpen === cancel) this.cancelOpen = null;
      listener?.({ success: false, error: null, result: null, ...content, data, request_id: id });
    };
    const cancel = () => answer(FAULTS.ignored);
    if (!isComplete) {
      answer(FAULTS.incomplete);
      return;
    }
    this.cancelOpen?.();
    this.cancelOpen = cancel;
    this.signAndBroadcast(data, operation).then((content) => content && answer(content));
  }

  async signAndBroadcast(data, operation) {
    const fault = takeFault();
    if (fault === "silent") return null;
    if (FAULTS[fault]) return FAULTS[fault];
    if (data.username !== this.keys.account) return FAULTS.cancel;
    const key = this.keys[data.method ?? "Active"];
    try {
      const head = await rpc("condenser_api.get_dynamic_global_properties", []);
      const { id, transaction } = await signTransaction(operation, head, key);
      await rpc("condenser_api.broadcast_transaction", [transaction]);
      if (fault === "lost") return null;
      const result = { tx_id: id, id, confirmed: false, isUsingMultisig: fault === "multisig" };
      return { success: true, result, message: "The transaction has been broadcasted successfully.", publicKey: key.publicKey };
    } catch (error) {
      return { error: error.raw ?? {}, message: `Error : ${error.message}` };
    }
  }
}

// Keychain's own answers in case of trouble.
const FAULTS = {
  cancel: { error: "user_cancel", message: "Request was canceled by the user." },
  ignored: { error: "ignored", message: "User ignored this transaction" },
  incomplete: { error: "incomplete", message: "Incomplete data or wrong format" },
  no_wallet: { error: "no_wallet", message: "You don't have a wallet yet." },
  empty: { error: {}, message: "" },
  node: { error: { code: -32000 }, message: "Error : <b>Assert Exception</b>: it will not do" },
};

function takeFault() {
  const fault = session.getItem(FAULT_KEY);
  session.removeItem(FAULT_KEY);
  return fault ?? "";
}
