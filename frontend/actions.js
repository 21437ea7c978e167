// What a trader does with orders that are there already: each is reviewed first, then signed.

import { cancel, cancelAll } from "./intents.js";
import { askReplace as ask } from "./replace.js";
import { review } from "./review.js";
import { account } from "./session.js";

export { review };

/** @param {any} venue @param {any} order a row of /api/orders */
export const askCancel = (venue, order) => review(cancel(venue, account(), order));

/** @param {any} venue @param {any} order a row of /api/orders */
export const askReplace = (venue, order) => ask(venue, account(), order);

/** @param {any} venue @param {{base?: string, quote?: string}} where */
export const askCancelAll = (venue, where) => review(cancelAll(venue, account(), where));
