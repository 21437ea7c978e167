// Signers. A signer is a function: it gets a request, and returns the signed transaction, or the id of one that it has
// broadcast itself. Only it has the key.

/**
 * @typedef {{account: string, authority: "active"|"posting", message: string, operation: [string, any],
 *   transaction: any}} SigningRequest `message` says what it does; `transaction` is not signed yet
 * @typedef {{transaction?: any, id?: string}} Signed without a transaction the signer has broadcast it; without an id, too,
 *   it has perhaps
 * @typedef {(request: SigningRequest) => Signed|Promise<Signed>} Signer
 */

/** Nothing was signed. */
export class SigningError extends Error {}

/**
 * Signer with dhive.
 * @param {any} dhive the module @hiveio/dhive
 * @param {() => string} key returns the private key (WIF), for example from an environment variable
 * @param {string} [chainId] 64 hex digits; Hive's main network by default
 * @returns {Signer}
 */
export function dhiveSigner(dhive, key, chainId = "beeab0de00000000000000000000000000000000000000000000000000000000") {
  const chain = Uint8Array.from(chainId.match(/../g), (pair) => parseInt(pair, 16));
  return ({ transaction }) => {
    let secret;
    try {
      secret = dhive.PrivateKey.fromString(key());
    } catch {
      throw new SigningError("the key is missing or is no private key (WIF)"); // without its text
    }
    const signed = dhive.cryptoUtils.signTransaction(transaction, secret, chain);
    return { transaction: signed, id: dhive.cryptoUtils.generateTrxId(transaction) };
  };
}

const METHODS = { active: "Active", posting: "Posting" };

/**
 * Signer with Hive Keychain, which asks the user and broadcasts by itself.
 * @param {any} keychain window.hive_keychain
 * @returns {Signer}
 */
export function keychainSigner(keychain) {
  return ({ account, authority, message, operation: [kind, value] }) =>
    new Promise((resolve, reject) => {
      const answer = (response) => {
        if (response.success) resolve({ id: String(response.result?.id ?? response.result?.tx_id ?? "") || undefined });
        else if (response.error === "user_cancel") reject(new SigningError("cancelled in Hive Keychain"));
        else resolve({});
      };
      if (kind === "transfer") {
        const [amount, symbol] = value.amount.split(" ");
        keychain.requestTransfer(account, value.to, amount, value.memo, symbol, answer, true);
      } else {
        keychain.requestCustomJson(account, value.id, METHODS[authority], value.json, message, answer);
      }
    });
}
