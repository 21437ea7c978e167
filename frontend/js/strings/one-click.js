// Texts of one-click trading, grants to trading bots, and the cancel-all timer.

import { duration } from "./common.js";

const list = (texts) => (texts.length < 2 ? texts.join("") : `${texts.slice(0, -1).join(", ")} and ${texts.at(-1)}`);

export const grantIntents = {
  // Short titles, for toasts.
  grantPosting: "Enable one-click trading",
  grantBot: (to) => `Grant to @${to}`,
  revokePosting: "Stop one-click trading",
  revokeBot: (to) => `Revoke the grant to @${to}`,
  timer: (seconds) => `Cancel all if offline: ${duration(seconds)}`,
  timerOff: "Cancel all if offline: off",
  // Full sentences: what the trader reads before signing, here and in the wallet.
  grantSentence: ({ to, pairs, amounts, band, until }) =>
    `ALLOW ${to === "posting" ? "my posting key" : `@${to}`} to trade ${list(pairs)} for me until ${until}: `
    + `orders of at most ${list(amounts)} a day (UTC), at most ${band} % worse than the mark, no withdrawals`,
  revokeSentence: (to) => (to === "posting"
    ? "STOP one-click trading: my posting key may no longer trade"
    : `REVOKE the grant to @${to}: it may no longer trade for me`),
  timerSentence: (seconds) => `CANCEL ALL orders of the one-click pairs in ${duration(seconds)}, unless this is renewed`,
  timerOffSentence: "SWITCH OFF the cancel-all timer",
  // Invalid input.
  ownAccount: "This is your own account. Enter the account of the bot.",
  noAccount: "Not a valid Hive account name.",
  reserved: "This name cannot hold a grant.",
  noPairs: "Choose at least one pair.",
  notListed: (pair) => `${pair} is not listed.`,
  tooManyPairs: (most) => `At most ${most} pairs.`,
  noAllowance: "Enter a daily allowance for at least one token.",
  tooManyTokens: (most) => `At most ${most} tokens.`,
  band: "Must be between 0 and 100 %.",
  until: (most) => `Must end within ${duration(most)} from now.`,
  seconds: "Must be between 15 seconds and 24 hours.",
};

export const coverage = {
  // Why the active key is needed: after "You sign with the active key: ".
  ended: "one-click trading has expired or was revoked.",
  unchecked: (why) => `your one-click allowance could not be checked. ${why}`,
  mixed: "several actions at once are not part of one-click trading.",
  fromWallet: "trades directly from the wallet are not part of one-click trading.",
  stop: "stop orders are not part of one-click trading.",
  protectedOrder: "this order has a stop loss, which one-click trading cannot touch.",
  noWorstPrice: "a market order needs a worst price.",
  pair: (pair) => `${pair} is not one of your one-click pairs.`,
  someOrders: "some of these orders are stops, have a stop loss, or are of other pairs.",
  gone: "this order is no longer open.",
  noMark: (pair) => `${pair} has no reference price yet.`,
  band: (percent, mark) => `the price is more than ${percent} % worse than the mark (${mark}).`,
  noAllowance: (symbol) => `one-click trading has no allowance for ${symbol}.`,
  allowance: (left, perDay, symbol) => `above today's allowance (${left} of ${perDay} ${symbol} left).`,
};

export const oneClick = {
  title: "One-click trading",
  on: "On",
  off: "Off",
  pending: "Starting …",
  intro: "Trade without a wallet window, within a daily allowance.",
  enable: "Enable",
  change: "Change",
  stop: "Stop",
  stopTitle: "Signs a revoke with your active key",
  left: "Left today",
  leftOf: (left, perDay, symbol) => `${left} of ${perDay} ${symbol}`,
  leftTitle: "What new orders may still lock until midnight UTC",
  terms: (pairs, band, until) => `${pairs} · at most ${band} % worse than the mark · until ${until}`,
  morePairs: (count) => `${count} pairs`,
  otherPair: (pair) => `${pair} is not included: its orders are signed with your active key.`,
  idle: (until) => `Your account allows it until ${until}, but it is off in this browser.`,
  useHere: "Turn on here",
  revoke: "Revoke",
  ended: {
    expired: "One-click trading has expired. Orders are signed with your active key.",
    revoked: "One-click trading was revoked. Orders are signed with your active key.",
  },
  skip: "Send without review",
  failed: (why) => `Could not read your grants. ${why}`,
  retry: "Retry",
};

export const offlineTimer = {
  label: "Cancel all if I go offline",
  hint: (seconds) => `Cancels your orders of these pairs ${duration(seconds)} after the last page of this exchange is closed or loses its connection. Stops stay.`,
  due: (time) => `Armed: orders are cancelled at ${time} unless this page renews it.`,
  idle: "Armed as soon as you have an open order.",
  arming: "Arming …",
  leftover: (time) => `The timer still runs: orders are cancelled at ${time}.`,
  problem: (why) => `Not renewed: ${why}`,
  retry: "Renew now",
  off: "Switch off",
  noAnswer: "the wallet did not sign by itself. In Keychain, allow it to sign with the posting key without asking.",
};

export const grantDialog = {
  enable: "Enable one-click trading",
  change: "Change one-click trading",
  bot: "Grant to a trading bot",
  changeBot: (to) => `Change the grant to @${to}`,
  explain: [
    "Orders, replacements and cancellations within these limits are signed with your posting key, without a wallet window. It can never withdraw.",
    "Any app that holds your account's posting authority can use this permission too.",
    "The most you can lose is the daily allowance: twice that around midnight UTC.",
  ],
  explainBot: [
    "This account may place, replace and cancel orders for you within these limits, signed with its own active key. It can never withdraw.",
    "Your orders belong to you, and you can revoke the grant at any time.",
    "The most you can lose is the daily allowance: twice that around midnight UTC.",
  ],
  prompt: "With your first order, tick “Do not prompt again” in Keychain: from then on it signs without a window.",
  account: "Account of the bot",
  pairs: "Pairs",
  perDay: "Daily allowance: the most that new orders may lock a day (UTC)",
  noTokens: "Choose a pair first.",
  total: (amount, symbol) => `You have ${amount} ${symbol}`,
  allowanceOf: (symbol) => `Daily allowance of ${symbol}`,
  band: "Price band",
  bandHint: "A price may be that much worse than the mark, the average of recent trades.",
  ends: "Ends",
  endsIn: (days, date) => `in ${days} day${days === 1 ? "" : "s"} · ${date}`,
  keep: (date) => `as before · ${date}`,
  skip: "Send these orders without review",
  tooMany: (most) => `An account can have at most ${most} grants. Revoke one first.`,
  sign: "You sign once with your active key:",
  submitEnable: "Enable",
  submitChange: "Change",
  submitBot: "Grant",
  back: "Cancel",
};

export const grantSection = {
  title: "Trading permissions",
  lead: "Accounts and keys that may trade for you within limits. None of them can withdraw.",
  leadOther: "Accounts and keys that may trade for this account within limits. None of them can withdraw.",
  add: "Add a trading bot",
  caption: "Grants given",
  none: "No grants. Let a trading bot trade for you within a daily allowance, or enable one-click trading on the Trade page.",
  noneOther: "No grants.",
  columns: { to: "Who", pairs: "Pairs", used: "Used today", band: "Price band", until: "Ends", status: "Status", actions: "Actions" },
  posting: "One-click trading",
  usedOf: (used, perDay, symbol) => `${used} of ${perDay} ${symbol}`,
  bandOf: (percent) => `${percent} %`,
  statuses: { active: "Active", expired: "Expired", revoked: "Revoked", replaced: "Replaced" },
  change: "Change",
  revoke: "Revoke",
  changeOf: (to) => `Change the grant to ${to}`,
  revokeOf: (to) => `Revoke the grant to ${to}`,
  receivedTitle: "Grants to you",
  receivedTitleOther: "Grants to this account",
  receivedCaption: "Grants received",
};

export const reviewKeys = {
  posting: (account) => `You sign as @${account} with the posting key: one-click trading covers it.`,
  active: (account, reason) => `You sign as @${account} with the active key: ${reason}`,
  skip: "Send one-click orders without this review",
  useActive: "Use the active key instead",
  refused: "the exchange refused the posting key.",
};
