// Texts of signing: what the wallet answers, and the status of an intent until it is final.

export const wallet = {
  dropped: "Keychain gave no clear answer: it dropped this request for another one. The transaction may still be included.",
  malformed: (report) => `The wallet could not read the request. This is a bug of this site: please report it with the ID ${report}.`,
  refusals: {
    clock: "The transaction expired before it reached the node. Check this device's clock.",
    credits: "Not enough resource credits (RC). They regenerate over time, and grow with Hive Power.",
    customs: "Hive accepts at most five such operations per account in a block. Wait three seconds and try again.",
    funds: "Insufficient wallet balance.",
    authority: "The key in the wallet is not the account's active key.",
  },
  reasons: {
    cancelled: {
      message: "Not signed. Nothing happened.",
      hint: (account) => (account ? `If you did not cancel: check that Keychain holds the active key of @${account}.` : ""),
    },
    malformed: { message: "The wallet could not read the request." },
    refused: { message: "Rejected by the Hive node." },
    unclear: { message: "The node gave no clear answer. The transaction may still be included." },
    no_wallet: { message: "Hive Keychain is installed, but not set up.", hint: () => "Set up Keychain, then try again." },
    too_large: { message: "Too large for one transaction. Shorten the memo, for example." },
    missing: { message: "Hive Keychain not found.", hint: () => "Install it from hive-keychain.com, then reload this page." },
    file: { message: "Hive Keychain works only on pages from a web server.", hint: () => "Open this page at http://localhost or https://." },
    silent: { message: "Hive Keychain does not respond.", hint: () => "Click its icon once, then try again." },
    given_up: { message: "Stopped waiting for the wallet.", hint: () => "If you still sign, the transaction counts." },
  },
};

const released = "Funds on hold are available again.";

export const pending = {
  // Toasts of an intent that is not final yet; `title` is the draft's own.
  waiting: (sentence) => ({ title: "Confirm in Hive Keychain", text: sentence }),
  signing: (sentence) => ({ title: "Signing", text: sentence }),
  slow: (sentence) => ({ title: "Waiting for the wallet", text: `Its window may be hidden behind this one. ${sentence}` }),
  stuck: (sentence) => ({ title: "No response from the wallet", text: `Look for its window, or stop waiting. ${sentence}` }),
  sent: (title, id, until) => ({ title: `Sent: ${title}`, text: `Transaction ${id}… can be included in a block until ${until}.` }),
  sentWithoutId: (title, until) => ({ title: `Sent: ${title}`, text: `Can be included in a block until ${until}.` }),
  multisig: (title) => ({ title: `Waiting for co-signers: ${title}`, text: "It is broadcast once enough co-signers have signed." }),
  inBlock: (title, block) => ({ title: `In block ${block}: ${title}`, text: "Final once the block is irreversible, in a moment." }),
  lost: (title, until, text) => ({
    title: `Status unknown: ${title}`,
    text: `${text || "The wallet's answer was lost."} If it was signed, it appears here. Checking until ${until}.`,
  }),
  outcomes: {
    open: (title) => ({ title: `Order placed: ${title}`, text: "Open in the order book." }),
    partly_filled: (title, order) => ({ title: `Partially filled: ${title}`, text: `${order.filled} of ${order.quantity} filled; the rest is open in the order book.` }),
    filled: (title) => ({ title: `Filled: ${title}`, text: "" }),
    partly_done: (title, order) => ({ title: `Partially filled: ${title}`, text: `${order.filled} of ${order.quantity} filled; the rest was cancelled, and its funds are available again.` }),
    cancelled: (orders) => ({ title: `Cancelled: ${orders}`, text: released }),
    unfilled: (title) => ({ title: `Cancelled without a fill: ${title}`, text: released }),
    expired: (title) => ({ title: `Expired: ${title}`, text: released }),
    accepted: (title) => ({ title: `Accepted: ${title}`, text: "The payout follows. Its status is on the Transfer page." }),
    credited: (title) => ({ title: `Credited: ${title}`, text: "Available to trade." }),
    returning: (title) => ({ title: `Accepted: ${title}`, text: "Available again in one hour, unless it is paid before." }),
    ignored: (title) => ({ title: `Not credited: ${title}`, text: "Nothing is due: the exchange does not list it. Contact the operator." }),
    refund_due: (title) => ({ title: `Not credited: ${title}`, text: "It is a refund due, and will be sent back to you." }),
    not_signed: (title) => ({ title: `Not signed: ${title}`, text: "" }),
    refused: (title) => ({ title: `Not sent: ${title}`, text: "" }),
    not_included: (title) => ({ title: `Not included in a block: ${title}`, text: "It expired and can no longer be included. Nothing happened." }),
    no_effect: (title) => ({ title: `No effect: ${title}`, text: "Included in a block, but the sidechain refused the transfer, and nothing moved. Was the wallet balance sufficient?" }),
    rejected: (title) => ({ title: `Rejected: ${title}`, text: "" }),
  },
  rejected: (why) => `${why} A rejected action changes nothing.`,
  codes: {
    E_INPUT: "The exchange could not read this action. Please report it with the transaction ID.",
    E_PRECISION: "Too many decimals in the amount or price for this pair.",
    E_RANGE: "Amount exceeds the maximum.",
    E_AUTH: "Not signed with the active key of the account that owns it.",
    E_GRANT: "Not covered by the account's grant: its actions, pairs, price band or daily allowance.",
    E_LATE: "Signed too late: the request was valid for 15 minutes. Check this device's clock, and try again.",
    E_PAIR: "Unknown pair.",
    E_PAUSED: "This pair takes no new orders. Open orders can be cancelled.",
    E_FUNDS: "Insufficient available balance. Deposit more, or cancel open orders to release funds.",
    E_FEE: "The pair's taker fee is higher than the one shown here. Reload this page to see the new fee.",
    E_LIMIT: "Too many open orders or pending withdrawals. Cancel some, or wait, then try again.",
    E_MINIMUM: "Below the token's minimum withdrawal.",
    E_TRIGGER: "The trigger price has been reached already.",
    E_POST_ONLY: "Post-only order would have executed immediately. Set a price further from the market.",
    E_FOK: "Fill-or-kill order could not be filled completely. Reduce the amount, or change the price.",
    E_NOT_FOUND: "No longer open: it was filled, paid, cancelled or expired before.",
    E_OWNER: "Belongs to another account.",
    E_SELF_TRADE: "Order would have traded with your own order. Cancel that order first.",
    E_NO_LIQUIDITY: "No liquidity at this price or better. Allow a worse price, or place a limit order.",
    E_TOKEN: "Token is not listed.",
  },
  unknownCode: (code) => `The exchange answered ${code}.`,
  stopWaiting: "Stop waiting",
  tryAgain: "Try again",
};

export const practice = {
  onlyDevnet: "Practice accounts exist on a devnet only.",
  noAccount: "Create a practice account first.",
  unreachable: "The devnet does not respond.",
  noKey: "The devnet returned no usable key.",
};

export const review = {
  title: "Review",
  signer: (account) => `You sign as @${account} with the active key. The wallet shows the same sentence.`,
  skip: "Skip this review for limit orders that do not execute immediately",
  back: "Back",
  sign: "Sign",
};
