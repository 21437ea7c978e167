// Markets screen: all pairs with their figures, searchable and sortable, favourites first.

import { read, readVenue } from "../data/api.js";
import { OrderBook } from "../data/order-book.js";
import { subscribe } from "../data/stream.js";
import { grouped, market, plainQuote, units } from "../lib/amounts.js";
import { button, byId, el, flash, setText } from "../lib/dom.js";
import { NONE, compact, percentChange, setPrice } from "../lib/format.js";
import { local, localJson } from "../lib/storage.js";
import { KeyedRows, skeletonRows } from "../lib/table.js";
import { errorNote } from "../lib/widgets.js";
import { mountShell } from "../shell/shell.js";
import { markets as strings } from "../strings/markets.js";
import { sparkline } from "./sparkline.js";

const MIN_REFRESH_MS = 2000;
const EXTRAS_MS = 60_000;
const DAY_SECONDS = 86_400;
const DEPTH_PERCENT = 2;
const FAVOURITES_KEY = "peakedex.favourites";
const SORT_KEY = "peakedex.marketsort";
// `by` gives the value to sort by; `optional` and `wide` columns are hidden on narrow screens.
const COLUMNS = [
  { name: "pair", by: nameOf },
  { name: "last", num: true, by: (pair) => Number(pair.last_price ?? 0), className: "price" },
  { name: "change", num: true, by: (pair) => Number(pair.change_24h_percent ?? 0), className: "move" },
  { name: "high", num: true, className: "optional" },
  { name: "low", num: true, className: "optional" },
  { name: "volume", num: true, by: (pair) => Number(pair.quote_volume_24h), className: "volume" },
  { name: "spread", num: true, by: spreadPercent, className: "wide" },
  { name: "depth", num: true, className: "wide" },
  { name: "spark", className: "spark" },
];

let pairs = null;
let venue = null;
let lastRefresh = -Infinity; // by performance.now(), which is small at first
let timer = 0;
let sort = storedSort();
const favourites = new Set((local.getItem(FAVOURITES_KEY) ?? "").split(" ").filter(Boolean));
/** @type {Map<string, {spark: SVGElement|null, depth: string}>} */
const extras = new Map();
const parts = {};

mountShell("markets");
build();
subscribe(["block"], ({ kind }) => {
  if (kind === "snapshot" || kind === "change") refresh();
});
refresh();
readExtras();
setInterval(readExtras, EXTRAS_MS);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) return;
  event.preventDefault();
  parts.search.focus();
});

function build() {
  parts.search = el("input", {
    className: "text",
    type: "search",
    placeholder: strings.search,
    "aria-label": strings.search,
    spellcheck: "false",
    autocomplete: "off",
    oninput: show,
  });
  parts.onlyFavourites = el("input", { type: "checkbox", id: "only-favourites", onchange: show });
  const body = el("tbody", {}, ...skeletonRows(8, COLUMNS.length + 1));
  parts.heads = Object.fromEntries(COLUMNS.map((column) => [column.name, head(column)]));
  const starText = el("span", { className: "visually-hidden" }, strings.favourite);
  const table = el(
    "table",
    {},
    el("caption", { className: "visually-hidden" }, strings.caption),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", className: "star" }, starText), ...Object.values(parts.heads))),
    body,
  );
  parts.empty = el("p", { className: "empty", hidden: true });
  parts.error = el("div");
  const filter = el("label", { className: "check muted", htmlFor: "only-favourites" }, parts.onlyFavourites, strings.onlyFavourites);
  byId("page").append(
    el("div", { className: "toolbar" }, parts.search, filter),
    el(
      "div",
      { className: "panel markets", tabindex: "0", role: "region", "aria-label": strings.caption },
      table,
      parts.empty,
      parts.error,
    ),
  );
  parts.rows = new KeyedRows(body, nameOf, buildRow, fillRow);
}

function head({ name, num, by, className = "" }) {
  const text = strings.columns[name];
  return el(
    "th",
    { scope: "col", className: `${num ? "num " : ""}${className}` },
    by ? button(text, () => sortBy(name)) : text,
  );
}

function storedSort() {
  const stored = localJson(SORT_KEY);
  return typeof stored?.name === "string" ? stored : { name: "", down: true };
}

function sortBy(name) {
  sort = { name, down: sort.name === name ? !sort.down : name !== "pair" };
  local.setItem(SORT_KEY, JSON.stringify(sort));
  show();
}

async function refresh() {
  clearTimeout(timer);
  const wait = lastRefresh + MIN_REFRESH_MS - performance.now();
  if (wait > 0) {
    timer = setTimeout(refresh, wait);
    return;
  }
  lastRefresh = performance.now();
  try {
    ({ pairs } = await read("pairs"));
    parts.error.replaceChildren();
    show();
  } catch (error) {
    parts.error.replaceChildren(errorNote(error.message, refresh));
  }
}

function show() {
  if (!pairs) return;
  const query = parts.search.value.trim().toUpperCase();
  const onlyFavourites = parts.onlyFavourites.checked;
  const found = pairs.filter((pair) => nameOf(pair).includes(query) && (!onlyFavourites || favourites.has(nameOf(pair))));
  parts.rows.show(sorted(found));
  parts.empty.hidden = found.length > 0;
  const unfiltered = onlyFavourites && !query ? strings.noFavourites : strings.notFound;
  setText(parts.empty, pairs.length === 0 ? strings.noPairs : unfiltered);
  for (const [name, node] of Object.entries(parts.heads)) {
    if (name === sort.name) node.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else node.removeAttribute("aria-sort");
  }
}

function sorted(found) {
  const by = COLUMNS.find((column) => column.name === sort.name)?.by;
  const order = by ? (a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0) * (sort.down ? -1 : 1) : () => 0;
  const rank = (pair) => Number(favourites.has(nameOf(pair)));
  return [...found].sort((a, b) => rank(b) - rank(a) || order(a, b));
}

function buildRow(pair) {
  const href = `trade.html?${new URLSearchParams({ base: pair.base, quote: pair.quote })}`;
  const star = button("", (event) => toggleFavourite(event, pair), { "aria-label": strings.favouriteOf(nameOf(pair)) });
  const cells = COLUMNS.slice(1).map(({ num, className = "" }) => el("td", { className: `${num ? "num " : ""}${className}` }));
  const link = el("a", { href }, pair.base, el("span", {}, ` / ${pair.quote}`));
  link.addEventListener("click", (event) => event.stopPropagation());
  const status = el("span", { className: "tag warn", hidden: true });
  return el(
    "tr",
    { onclick: () => link.click() },
    el("td", { className: "star" }, star),
    el("th", { scope: "row" }, link, " ", status),
    ...cells,
  );
}

function fillRow(row, pair) {
  const isFavourite = favourites.has(nameOf(pair));
  const [star, name, price, move, high, low, volume, spread, depth, spark] = row.children;
  star.firstChild.setAttribute("aria-pressed", String(isFavourite));
  setText(star.firstChild, isFavourite ? "★" : "☆");
  if (setPrice(price, pair.last_price && grouped(pair.last_price))) flash(price);
  const [text, side] = percentChange(pair.change_24h_percent);
  setText(move, text);
  move.className = `num move ${side}`;
  setPrice(high, pair.high_24h && grouped(pair.high_24h));
  setPrice(low, pair.low_24h && grouped(pair.low_24h));
  setText(volume, `${compact(pair.quote_volume_24h)} ${pair.quote}`);
  const percent = spreadPercent(pair);
  setText(spread, percent === Infinity ? NONE : `${percent.toFixed(2)} %`);
  const extra = extras.get(nameOf(pair));
  setText(depth, extra?.depth ?? NONE);
  if (extra?.spark && spark.firstChild !== extra.spark) spark.replaceChildren(extra.spark);
  name.lastChild.hidden = pair.status === "active";
  setText(name.lastChild, strings.status[pair.status] ?? pair.status);
}

function nameOf(pair) {
  return `${pair.base}/${pair.quote}`;
}

// The spread as a percentage of the mid price; Infinity if a side of the book is empty.
function spreadPercent({ best_bid: bid, best_ask: ask, price_decimals: decimals }) {
  if (bid === null || ask === null) return Infinity;
  const [low, high] = [units(bid, decimals), units(ask, decimals)];
  return Number(((high - low) * 2_000_000n) / (high + low)) / 10_000;
}

function toggleFavourite(event, pair) {
  event.stopPropagation();
  const name = nameOf(pair);
  if (!favourites.delete(name)) favourites.add(name);
  local.setItem(FAVOURITES_KEY, [...favourites].join(" "));
  show();
}

// Sparkline and depth take two requests for each pair, so they come after the rest.
async function readExtras() {
  if (document.hidden) return;
  try {
    venue ??= await readVenue();
  } catch {
    return; // tried again in a minute
  }
  for (const pair of venue.pairs) {
    extras.set(nameOf(pair), await readExtra(pair));
    show();
  }
}

async function readExtra({ base, quote }) {
  const from = Math.floor(Date.now() / 1000) - DAY_SECONDS;
  const [candles, book] = await Promise.allSettled([
    read("candles", { base, quote, interval: "15m", from }),
    read("orderbook", { base, quote, depth: 200 }),
  ]);
  return {
    spark: candles.value ? sparkline(prices(candles.value.candles), strings.sparkOf(`${base}/${quote}`)) : null,
    depth: book.value ? depthText(market(venue, base, quote), book.value) : NONE,
  };
}

// The first open and all closes, so that a single candle gives a line too.
const prices = (candles) => [
  ...candles.slice(0, 1).map((candle) => Number(candle.open)),
  ...candles.map((candle) => Number(candle.close)),
];

function depthText(pair, snapshot) {
  if (!pair) return NONE;
  const book = new OrderBook(pair);
  book.load(snapshot);
  const depth = book.depth(DEPTH_PERCENT);
  return depth === null ? NONE : `${compact(plainQuote(pair, depth))} ${pair.quote}`;
}
