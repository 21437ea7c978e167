// Actions on open orders and pending withdrawals. A cancellation goes to the wallet at once, which shows its sentence;
// cancelling all orders is reviewed first.

import { account } from "../data/session.js";
import { cancel, cancelAll, cancelWithdrawal } from "../wallet/intents.js";
import { review } from "../wallet/review-dialog.js";
import { openReplaceDialog } from "./replace-dialog.js";

/** Open the dialog that replaces an order. */
export const replaceOrder = openReplaceDialog;

/** @param {any} venue @param {any} order a row of /api/orders */
export const cancelOrder = (venue, order) => review(cancel(venue, account(), order), { isReviewed: true });

/** @param {any} venue @param {any} withdrawal a row of /api/withdrawals */
export const takeBackWithdrawal = (venue, withdrawal) => review(cancelWithdrawal(venue, account(), withdrawal), { isReviewed: true });

/** @param {any} venue @param {{base?: string, quote?: string, count?: number}} which */
export const cancelAllOrders = (venue, which) => review(cancelAll(venue, account(), which));
