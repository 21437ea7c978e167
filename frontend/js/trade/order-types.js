// The order types of the ticket. A stop waits until the mark reaches its trigger, then it becomes a limit or market order.

/**
 * @typedef {"limit"|"market"|"stopLimit"|"stopMarket"|"takeLimit"|"takeMarket"} OrderType
 * @typedef {{isMarket: boolean, isStop: boolean, isTakeProfit: boolean}} Kind
 */

/** @type {Record<OrderType, Kind>} */
export const ORDER_TYPES = {
  limit: { isMarket: false, isStop: false, isTakeProfit: false },
  market: { isMarket: true, isStop: false, isTakeProfit: false },
  stopLimit: { isMarket: false, isStop: true, isTakeProfit: false },
  stopMarket: { isMarket: true, isStop: true, isTakeProfit: false },
  takeLimit: { isMarket: false, isStop: true, isTakeProfit: true },
  takeMarket: { isMarket: true, isStop: true, isTakeProfit: true },
};

/**
 * The side from which the mark reaches the trigger: a stop sells when the mark falls and buys when it rises, a
 * take-profit order the other way round.
 * @param {OrderType} type
 * @param {"buy"|"sell"} side
 * @returns {"above"|"below"}
 */
export const triggerSide = (type, side) => ((side === "buy") !== ORDER_TYPES[type].isTakeProfit ? "above" : "below");
