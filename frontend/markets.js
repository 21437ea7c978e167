// The Markets screen: all pairs with their figures; searched, sorted, and with the reader's favourites first.

import { grouped, market, plainQuote, units } from "./amounts.js";
import { read, readVenue } from "./api.js";
import { Book } from "./book.js";
import { bones, byId, flash, make, write } from "./dom.js";
import { NONE, change, short, writePrice } from "./figures.js";
import { Rows } from "./rows.js";
import { shell } from "./shell.js";
import { sparkline } from "./sparkline.js";
import { markets as words } from "./strings.js";
import { subscribe } from "./stream.js";

const LEAST_MS = 2000;
const EXTRAS_MS = 60_000;
const DAY_SECONDS = 86_400;
const STARS = "peakedex.favourites";
const SORT = "peakedex.marketsort";
const COLUMNS = [
  { name: "pair", by: (pair) => `${pair.base}/${pair.quote}` },
  { name: "last", num: true, by: (pair) => Number(pair.last_price ?? 0), className: "price" },
  { name: "change", num: true, by: (pair) => Number(pair.change_24h_percent ?? 0), className: "move" },
  { name: "high", num: true, className: "second" },
  { name: "low", num: true, className: "second" },
  { name: "volume", num: true, by: (pair) => Number(pair.quote_volume_24h), className: "volume" },
  { name: "spread", num: true, by: spreadPercent, className: "third" },
  { name: "depth", num: true, className: "third" },
  { name: "spark", className: "spark" },
];

const nameOf = (pair) => `${pair.base}/${pair.quote}`;

let pairs = null;
let venue = null;
let last = 0;
let timer = 0;
let sort = JSON.parse(localStorage.getItem(SORT) ?? "null") ?? { name: "", down: true };
let stars = new Set((localStorage.getItem(STARS) ?? "").split(" ").filter(Boolean));
/** @type {Map<string, {spark: SVGElement|null, depth: string}>} */
const extras = new Map();
const parts = {};

shell("markets");
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
  parts.search = make("input", {
    className: "text",
    type: "search",
    placeholder: words.search,
    "aria-label": words.search,
    spellcheck: "false",
    autocomplete: "off",
    oninput: show,
  });
  parts.starred = make("input", { type: "checkbox", id: "starred", onchange: show });
  parts.body = make("tbody");
  bones(parts.body, 8, COLUMNS.length + 1);
  parts.heads = Object.fromEntries(COLUMNS.map((column) => [column.name, head(column)]));
  const table = make(
    "table",
    {},
    make("caption", { className: "unseen" }, words.caption),
    make(
      "thead",
      {},
      make(
        "tr",
        {},
        make("th", { scope: "col", className: "star" }, make("span", { className: "unseen" }, words.star)),
        ...Object.values(parts.heads),
      ),
    ),
    parts.body,
  );
  parts.empty = make("p", { className: "empty", hidden: true });
  parts.failed = make("p", { className: "failed", hidden: true, role: "status" });
  byId("page").append(
    make(
      "div",
      { className: "tools" },
      parts.search,
      make("label", { className: "check muted", htmlFor: "starred" }, parts.starred, words.onlyStars),
    ),
    make(
      "div",
      { className: "panel markets", tabindex: "0", role: "region", "aria-label": words.caption },
      table,
      parts.empty,
      parts.failed,
    ),
  );
  parts.rows = new Rows(parts.body, nameOf, buildRow, fill);
}

function head({ name, num, by, className = "" }) {
  const text = words.columns[name];
  const inner = by ? make("button", { type: "button", onclick: () => turn(name) }, text) : text;
  return make("th", { scope: "col", className: `${num ? "num " : ""}${className}` }, inner);
}

function turn(name) {
  sort = { name, down: sort.name === name ? !sort.down : name !== "pair" };
  localStorage.setItem(SORT, JSON.stringify(sort));
  show();
}

async function refresh() {
  clearTimeout(timer);
  const wait = last + LEAST_MS - performance.now();
  if (wait > 0) {
    timer = setTimeout(refresh, wait);
    return;
  }
  last = performance.now();
  try {
    ({ pairs } = await read("pairs"));
    parts.failed.hidden = true;
    show();
  } catch (error) {
    parts.failed.hidden = false;
    parts.failed.replaceChildren(
      error.message,
      make("button", { type: "button", className: "plain", onclick: refresh }, words.retry),
    );
  }
}

function show() {
  if (!pairs) return;
  const wanted = parts.search.value.trim().toUpperCase();
  const found = pairs.filter(
    (pair) => nameOf(pair).includes(wanted) && (!parts.starred.checked || stars.has(nameOf(pair))),
  );
  parts.rows.show(sorted(found));
  parts.empty.hidden = found.length > 0;
  write(
    parts.empty,
    pairs.length === 0 ? words.noPairs : parts.starred.checked && !wanted ? words.noStars : words.notFound,
  );
  for (const [name, node] of Object.entries(parts.heads)) {
    if (name === sort.name) node.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else node.removeAttribute("aria-sort");
  }
}

function sorted(found) {
  const by = COLUMNS.find((column) => column.name === sort.name)?.by;
  const order = by ? (a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0) * (sort.down ? -1 : 1) : () => 0;
  return [...found].sort((a, b) => Number(stars.has(nameOf(b))) - Number(stars.has(nameOf(a))) || order(a, b));
}

function buildRow(pair) {
  const href = `trade.html?${new URLSearchParams({ base: pair.base, quote: pair.quote })}`;
  const star = make("button", {
    type: "button",
    "aria-label": words.starOf(nameOf(pair)),
    onclick: (event) => mark(event, pair),
  });
  const cells = COLUMNS.slice(1).map(({ num, className = "" }) =>
    make("td", { className: `${num ? "num " : ""}${className}` }),
  );
  const link = make("a", { href }, pair.base, make("span", {}, ` / ${pair.quote}`));
  const status = make("span", { className: "tag warn", hidden: true });
  const line = make(
    "tr",
    { onclick: () => link.click() },
    make("td", { className: "star" }, star),
    make("th", { scope: "row" }, link, " ", status),
    ...cells,
  );
  link.addEventListener("click", (event) => event.stopPropagation());
  return line;
}

function fill(line, pair) {
  const starred = stars.has(nameOf(pair));
  const [star, name, price, move, high, low, volume, spread, depth, spark] = line.children;
  star.firstChild.setAttribute("aria-pressed", String(starred));
  write(star.firstChild, starred ? "★" : "☆");
  if (writePrice(price, pair.last_price && grouped(pair.last_price))) flash(price);
  const [text, side] = change(pair.change_24h_percent);
  write(move, text);
  move.className = `num move ${side}`;
  writePrice(high, pair.high_24h && grouped(pair.high_24h));
  writePrice(low, pair.low_24h && grouped(pair.low_24h));
  write(volume, `${short(pair.quote_volume_24h)} ${pair.quote}`);
  const percent = spreadPercent(pair);
  write(spread, percent === Infinity ? NONE : `${percent.toFixed(2)} %`);
  const extra = extras.get(nameOf(pair));
  write(depth, extra?.depth ?? NONE);
  if (extra?.spark && spark.firstChild !== extra.spark) spark.replaceChildren(extra.spark);
  name.lastChild.hidden = pair.status === "active";
  write(name.lastChild, words.status[pair.status] ?? pair.status);
}

// The distance of the best prices in percent of their middle; for sorting and the eye.
function spreadPercent({ best_bid: bid, best_ask: ask, price_decimals: decimals }) {
  if (bid === null || ask === null) return Infinity;
  const [low, high] = [units(bid, decimals), units(ask, decimals)];
  return Number(((high - low) * 2_000_000n) / (high + low)) / 10_000;
}

function mark(event, pair) {
  event.stopPropagation();
  const name = nameOf(pair);
  if (!stars.delete(name)) stars.add(name);
  localStorage.setItem(STARS, [...stars].join(" "));
  show();
}

// A line of the last day and the depth, pair after pair: they may come late.
async function readExtras() {
  if (document.hidden) return;
  try {
    venue ??= await readVenue();
  } catch {
    return; // the next turn tries again
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
    spark:
      candles.status === "fulfilled"
        ? sparkline(prices(candles.value.candles), words.sparkOf(`${base}/${quote}`))
        : null,
    depth: book.status === "fulfilled" ? depthText(market(venue, base, quote), book.value) : NONE,
  };
}

// From the first trade's price on, so that a young market has a line too.
const prices = (candles) => [
  ...candles.slice(0, 1).map((candle) => Number(candle.open)),
  ...candles.map((candle) => Number(candle.close)),
];

function depthText(pair, snapshot) {
  if (!pair) return NONE;
  const book = new Book(pair);
  book.load(snapshot);
  const within = book.depth(2);
  return within !== null ? `${short(plainQuote(pair, within))} ${pair.quote}` : NONE;
}
