// Texts of the Portfolio and Transfer screens, and of the tables and dialogs of orders.

import { sides } from "./common.js";

export const orderTexts = {
  kinds: { limit: "Limit", market: "Market" },
  triggered: {
    stop: { limit: "Stop-limit", market: "Stop-market" },
    profit: { limit: "Take-profit limit", market: "Take-profit market" },
  },
  stopLoss: { sell: "Stop loss", buy: "Stop" },
  atMarket: "Market",
  worst: (price) => `Worst price ${price}`,
  condition: (condition) => `Mark ${condition}`,
  becomes: ({ condition, side, amount, price, worst, base }) => {
    const what = price === null ? `market ${side} (worst price ${worst})` : `limit ${side} at ${price}`;
    return `When the mark price of ${base} is ${condition}, it becomes a ${what} of ${amount}.`;
  },
  stopLossAt: (name, price) => `${name} ${price}`,
  stopLossSentence: ({ side, condition, worst }) =>
    `When the mark price is ${condition}, the order is cancelled and what is left is ${side === "sell" ? "sold" : "bought"} at market, worst price ${worst}.`,
};

export const orderTables = {
  columns: {
    pair: "Pair", type: "Type", side: "Side", price: "Price", amount: "Amount", filled: "Filled", placed: "Placed", expires: "Expires", actions: "Actions",
    average: "Avg. price", filledOf: "Filled / amount", closed: "Closed", status: "Status", time: "Time", total: "Total", fee: "Fee", role: "Role",
  },
  sides,
  openCaption: "Open orders",
  noOpen: "No open orders",
  noOpenBesideBook: "No open orders. Click a price in the order book to start one.",
  historyCaption: "Order history",
  noHistory: "No past orders",
  tradesCaption: "Trade history",
  noTrades: "No trades yet",
  statuses: {
    filled: "Filled", cancelled: "Cancelled", expired: "Expired", rejected: "Rejected", open: "Open", waiting: "Waiting",
    triggered: "Triggered",
  },
  reason: (status, reason) => `${status}: ${reason}`,
  stopLossTriggered: "Stop loss triggered",
  postOnly: "Post-only",
  by: (grantee) => `By @${grantee}`,
  toWallet: "To wallet",
  toWalletTitle: "What it receives is withdrawn to your wallet when it closes.",
  showOrder: "Show order",
  showOrderOf: (id) => `Show order of transaction ${id}, from a Hive node`,
  noAnswer: "No Hive node has it",
  roles: { taker: "Taker", maker: "Maker" },
  actions: { buy: "Buy", sell: "Sell", marketBuy: "Market buy", marketSell: "Market sell", cancel: "Cancel", cancelAll: "Cancel all", cancelAllAfter: "Cancel-all timer", replace: "Replace", withdraw: "Withdraw" },
  replace: "Replace",
  cancel: "Cancel",
  ofOrder: (action, side, amount, price) => `${action}: ${side} ${amount} ${price}`,
};

export const balancesTable = {
  columns: { token: "Token", available: "Available", locked: "In orders", withdrawing: "Withdrawing", sum: "Total", actions: "Actions" },
  caption: "Balances",
  none: "No balances yet.",
  firstDeposit: "Make a deposit",
  deposit: "Deposit",
  withdraw: "Withdraw",
  depositOf: (symbol) => `Deposit ${symbol}`,
  withdrawOf: (symbol) => `Withdraw ${symbol}`,
};

export const portfolio = {
  title: "Portfolio",
  accountTitle: "Account",
  documentTitle: (name) => `${name} · Peake DEX`,
  noAccount: "Choose an account to see its balances.",
  chooseAccount: "Choose account",
  invalidName: (name) => `“${name}” is not a valid Hive account name.`,
  public: "All of this is public.",
  publicLink: "Link to the public view",
  readOnly: "All data is public. This is a read-only view of the account.",
  value: "Estimated value",
  valueTitle: (value) => `${value}, at last prices`,
  valueIn: "Value in",
  cancelAll: (count) => `Cancel all (${count})`,
  sections: { balances: "Balances", open: "Open orders", deposits: "Deposits", withdrawals: "Withdrawals", trades: "Trade history", history: "Order history" },
};

export const transferTables = {
  columns: {
    time: "Time", token: "Token", amount: "Amount", to: "To", status: "Status", transaction: "Transaction", paid: "Payment", actions: "Actions",
  },
  depositsCaption: "Deposits",
  noDeposits: "No deposits yet",
  withdrawalsCaption: "Withdrawals",
  noWithdrawals: "No withdrawals yet",
  deposit: { credited: "Credited", refund_due: "Refund due", refunded: "Refunded", ignored: "Ignored" },
  withdrawal: { pending: "Pending", paid: "Paid", returned: "Returned" },
  returning: (time) => `Returning at ${time}`,
  cancel: "Cancel",
  cancelOf: (amount) => `Cancel the withdrawal of ${amount}`,
  signed: (have, need) => `Signed by ${have} of ${need}`,
  payout: { queued: "Queued", waiting_approval: "Awaiting approval", waiting_funds: "Awaiting funds", waiting_account: "Account does not exist", sent: "Sent", paid: "Paid", returned: "Returned" },
};

export const transfer = {
  title: "Transfer",
  lead: "Deposits and withdrawals are free of charge. Deposits are held by the exchange's escrow accounts; the Audit page compares their holdings with the liabilities.",
  directions: { deposit: "Deposit", withdraw: "Withdraw" },
  tokenLabel: "Token",
  token: (symbol, chain) => `${symbol} · ${chain === "hive" ? "native Hive coin" : "Hive-Engine token"}`,
  amount: "Amount",
  max: "Max",
  to: "To (default: your own account)",
  memo: "Memo for the recipient (optional)",
  escrow: "Escrow account",
  paidFrom: "Paid from",
  fee: "Fee",
  none: "none",
  available: "Available",
  minimum: "Minimum",
  copy: "Copy",
  copied: "Copied",
  loading: "Loading your balance …",
  unknown: (direction) => (direction === "deposit" ? "Wallet balance unavailable" : "Available balance unavailable"),
  balance: (direction, amount) => (direction === "deposit" ? `Wallet balance: ${amount}` : `Available: ${amount}`),
  insufficient: (direction, symbol) => (direction === "deposit" ? `Insufficient ${symbol} in your wallet.` : `Insufficient ${symbol} balance. Cancelling open orders releases funds.`),
  submit: (direction, what) => `${direction === "deposit" ? "Deposit" : "Withdraw"}${what ? ` ${what}` : ""}`,
  chooseAccount: "Choose account",
  stepsTitle: { deposit: "Deposit steps", withdraw: "Withdrawal steps" },
  steps: {
    deposit: (chain, symbol) => [
      ["You sign", "", chain === "hive" ? "A transfer to the escrow account." : "A tokens.transfer to the escrow account, with your active key."],
      ["Included in a block", "3 seconds", ""],
      ["Block is irreversible", "1 to 2 seconds, at most a minute", ""],
      ...(chain === "hive" ? [] : [["Hive-Engine executes the transfer", "a few seconds", "The deposit is credited once the sidechain confirms it."]]),
      ["Available", "", `You can trade with your ${symbol}.`],
    ],
    withdraw: (chain, symbol) => [
      ["You sign", "", "Once the block is irreversible, the amount moves from available to withdrawing."],
      ["The escrow account pays", "within 30 seconds", "Large amounts may require the operator's approval."],
      ...(chain === "hive" ? [] : [["Hive-Engine executes the transfer", "a few seconds", ""]]),
      ["In your wallet", "", `The withdrawal is marked as paid once the ${symbol} transfer is on the chain.`],
    ],
  },
  notes: {
    deposit: (chain, symbol, escrow) => [
      `You can also send ${symbol} to @${escrow} from any wallet. It is credited to the sending account; no memo is needed.`,
      `Send only ${symbol} to this account. Listed tokens that arrive at the wrong escrow account are sent back; tokens that are not listed are not.`,
    ],
    withdraw: () => [
      "Until it is paid, a withdrawal can be cancelled. The amount is available again one hour later.",
      "Two withdrawals of the same amount to the same account with the same memo are paid ten minutes apart.",
      "When withdrawing to another exchange, enter the memo that it requires; otherwise the funds may be lost.",
    ],
  },
  deposits: "Deposits",
  withdrawals: "Withdrawals",
  refundsDue: (count) => (count === 1
    ? "One deposit could not be credited. It is a refund due, and will be sent back to you."
    : `${count} deposits could not be credited. They are refunds due, and will be sent back to you.`),
};
