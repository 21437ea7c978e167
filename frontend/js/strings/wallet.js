// Texts of signing: what the wallet answers, and the status of an intent until it is final.

export const wallet = {
  dropped: "Keychain gave no clear answer: it dropped this request for another one. The transaction may still be included.",
  keyOf: (account, authority) => `${authority} key of @${account}`,
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
      message: "Nothing happened.",
      hint: (key) => (key ? `If you did not cancel: check that Keychain holds the ${key}.` : ""),
    },
    unsigned: {
      message: "Keychain could not sign. Nothing was sent.",
      hint: (key) => (key ? `Check that Keychain is unlocked and holds the ${key}, then try again.` : ""),
    },
    malformed: { message: "The wallet could not read the request." },
    refused: { message: "Rejected by the Hive node." },
    unclear: { message: "The node gave no clear answer. The transaction may still be included." },
    no_wallet: { message: "Hive Keychain is installed, but not set up.", hint: () => "Set up Keychain, then try again." },
    too_large: { message: "Too large for one transaction. Shorten the memo, for example." },
    missing: { message: "Hive Keychain not found.", hint: () => "Install it from hive-keychain.com, then reload this page." },
    file: { message: "Hive Keychain works only on pages from a web server.", hint: () => "Open this page at http://localhost or https://." },
    silent: { message: "Hive Keychain does not respond.", hint: () => "Click its icon once, then try again." },
    given_up: { message: "Keychain has not answered. If you did not sign, nothing was sent." },
    no_answer: { message: "Keychain did not answer in time, and the request has expired." },
    removed: { message: "Removed before it was sent to the wallet." },
    outdated: { message: "It waited too long for the previous request, and was not sent to the wallet." },
    blocked: { message: "Not sent to the wallet." },
  },
};

const released = "Funds on hold are available again.";

export const pending = {
  // Toasts of an intent that is not final yet; `title` is the draft's own.
  queued: (title) => ({ title: "Queued: waiting for the previous request", text: title }),
  signing: (sentence) => ({ title: "Signing", text: sentence }),
  waiting: (sentence) => ({ title: "Confirm in Hive Keychain", text: sentence }),
  slow: (sentence) => ({ title: "Waiting for Hive Keychain", text: `Its window may be hidden behind this one. ${sentence}` }),
  stuck: (sentence) => ({ title: "No response from Hive Keychain", text: `Look for its window, or unlock Keychain and try again. ${sentence}` }),
  // Keychain shows no sentence for a transfer of coins.
  compare: (to, amount, memo) => `Check in Keychain: to @${to}, ${amount}, memo ${memo ? `“${memo}”` : "empty"}.`,
  sent: (title, id, until) => ({ title: `Sent: ${title}`, text: `Transaction ${id}… is valid until ${until}.` }),
  sentWithoutId: (title, until) => ({ title: `Sent: ${title}`, text: `Valid until ${until}.` }),
  multisig: (title, until) => ({ title: `Waiting for co-signers: ${title}`, text: `Broadcast once enough co-signers have signed. Valid until ${until}.` }),
  inBlock: (title, block) => ({ title: `In block ${block}: ${title}`, text: "Final once the block is irreversible, in a moment." }),
  lost: (title, until, text) => ({ title: `Status unknown: ${title}`, text: `${text} If it was signed, it appears here. Checking until ${until}.` }),
  answerLost: "The page was closed or reloaded before Keychain answered.",
  pageClosed: "The page was closed before it was sent to the wallet.",
  outcomes: {
    open: (title) => ({ title: `Order placed: ${title}`, text: "Open in the order book." }),
    waiting: (title) => ({ title: `Stop placed: ${title}`, text: "Waiting for its trigger price." }),
    partly_filled: (title, fill) => ({ title: `Partially filled: ${title}`, text: `${fill} The rest is open in the order book.` }),
    filled: (title, fill) => ({ title: `Filled: ${title}`, text: fill }),
    triggered: (title) => ({ title: `Stop triggered: ${title}`, text: "" }),
    partly_done: (title, fill) => ({ title: `Partially filled: ${title}`, text: `${fill} The rest was cancelled, and its funds are available again.` }),
    cancelled: (orders) => ({ title: `Cancelled: ${orders}`, text: released }),
    unfilled: (title) => ({ title: `Cancelled without a fill: ${title}`, text: released }),
    expired: (title) => ({ title: `Expired: ${title}`, text: released }),
    done: (title) => ({ title: `Done: ${title}`, text: "" }),
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
  stopRejected: (title, why) => ({ title: `Stop rejected: ${title}`, text: `${why} What it had locked is available again.` }),
  fill: ({ filled, quantity, average, received, fee }) =>
    `${filled} of ${quantity} filled at an average price of ${average}. Received ${received} after a fee of ${fee}.`,
  rejected: (why) => `${why} A rejected action changes nothing.`,
  // Of an order that deposits first: what became of the deposit, by the order's outcome.
  deposits: {
    credited: { order: "", rejected: "The deposit was credited, and is available at the exchange." },
    refused: {
      order: "The sidechain refused the deposit: the order used your balance at the exchange.",
      rejected: "The sidechain refused the deposit: nothing moved.",
    },
  },
  codes: {
    E_INPUT: "The exchange could not read this action. Please report it with the transaction ID.",
    E_PRECISION: "Too many decimals in the amount or price for this pair.",
    E_RANGE: "Amount exceeds the maximum.",
    E_AUTH: "Not signed with the account's active key, and not covered by a grant.",
    E_GRANT: "Not covered by the account's grant: its actions, pairs, price band or daily allowance.",
    E_LATE: "Signed too late: a market order is valid for 2 minutes, everything else for 10. Check this device's clock, and try again.",
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
  closedWindow: "I closed the window",
  closedPrevious: "The previous window is closed",
  remove: "Remove",
  stopWaiting: "Stop waiting",
  tryAgain: "Try again",
  signActive: "Sign with the active key",
  cannotRetry: (title) => `Cannot try again: ${title}`,
};

export const rebuild = {
  garbled: "What this browser stored of it is damaged. Please enter it again.",
  noLiquidity: "No orders on the other side of the book.",
  notOpen: "It is not open any more.",
};

export const depositCheck = {
  insufficient: (has, needed) => `Insufficient wallet balance: the wallet holds ${has}, and the deposit needs ${needed}. Nothing was sent.`,
  unknown: "The wallet's balance could not be read, so the deposit might fail and the order use your balance at the exchange. Nothing was sent: try again, or deposit first.",
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
  signerOfCoins: (account) => `You sign as @${account} with the active key. The wallet does not show this sentence: compare the recipient and the amount there.`,
  skip: "Skip this review for limit orders that do not execute immediately",
  back: "Back",
  sign: "Sign",
};
