// The markets, read from the API every few seconds. All text enters by textContent.

const EVERY_MS = 3000;
const SLOWEST_MS = 30000;
const GIVE_UP_MS = 10000;
const LABELS = ["Last price", "24 h change", "24 h volume", "Best bid", "Best ask", "Status"];

const element = (id) => document.getElementById(id);
const rows = new Map();
let failures = 0;
let failingSince = null;

function make(name, className, text) {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Decimal text stays text: only its whole part gets separators, and a true minus.
function grouped(text) {
  const [whole, fraction] = text.replace("-", "").split(".");
  const sign = text.startsWith("-") ? "−" : "";
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return sign + (fraction === undefined ? digits : `${digits}.${fraction}`);
}

// A volume is for the eye: two decimals are cut off the text, more are kept only below one.
function short(text) {
  const [whole, fraction = ""] = text.split(".");
  const shown = whole === "0" ? fraction.replace(/0+$/, "") : fraction.slice(0, 2);
  return grouped(shown ? `${whole}.${shown}` : whole);
}

function change(text) {
  if (text === null) return ["–", ""];
  if (/^-?0\.00$/.test(text)) return ["0.00 %", ""];
  return text.startsWith("-") ? [`▼ ${grouped(text)} %`, "down"] : [`▲ +${grouped(text)} %`, "up"];
}

function skeleton() {
  for (let line = 0; line < 8; line += 1) {
    const row = make("tr");
    for (let column = 0; column < 7; column += 1) {
      const cell = make(column ? "td" : "th");
      cell.append(make("span", "bone"));
      row.append(cell);
    }
    element("pairs").append(row);
  }
}

function rowOf(pair) {
  const name = `${pair.base}/${pair.quote}`;
  if (!rows.has(name)) {
    const row = make("tr");
    const head = make("th", "", pair.base);
    head.scope = "row";
    head.append(make("span", "unit", ` / ${pair.quote}`));
    row.append(head);
    for (const label of LABELS) {
      const cell = make("td");
      cell.dataset.label = label;
      row.append(cell);
    }
    rows.set(name, row);
  }
  return rows.get(name);
}

function write(cell, text, className = "") {
  const changed = cell.textContent !== "" && cell.textContent !== text;
  if (cell.textContent !== text) cell.textContent = text;
  cell.className = className;
  return changed;
}

function showPair(pair) {
  const row = rowOf(pair);
  const [last, move, volume, bid, ask, status] = row.querySelectorAll("td");
  const price = (text) => (text === null ? "–" : grouped(text));
  const [moveText, moveClass] = change(pair.change_24h_percent);
  const traded = write(last, price(pair.last_price));
  write(move, moveText, moveClass);
  write(volume, `${short(pair.quote_volume_24h)} ${pair.quote}`);
  write(bid, price(pair.best_bid));
  write(ask, price(pair.best_ask));
  write(status, pair.status);
  row.classList.toggle("flash", traded);
  return row;
}

function showPairs(body) {
  const table = element("pairs");
  const shown = body.pairs.map(showPair);
  if (shown.length !== table.children.length || shown.some((row, at) => table.children[at] !== row)) {
    table.replaceChildren(...shown);
  }
  table.removeAttribute("aria-busy");
  element("markets").hidden = shown.length === 0;
  element("empty").hidden = shown.length !== 0;
  if (body.pairs.length) {
    const { base, quote } = body.pairs[0];
    const query = new URLSearchParams({ base, quote });
    element("sample-book").href = `api/orderbook?${query}`;
    element("sample-history").href = `api/history?${query}`;
  }
}

function showHealth(health) {
  element("network").textContent = health.network;
  element("block").textContent = health.block === null ? "–" : grouped(String(health.block));
  element("time").textContent = health.ts ? `${health.ts.slice(11, 19)} UTC` : "–";
  const hash = health.journal_hash;
  element("journal").textContent = hash ? `${hash.slice(0, 8)}…${hash.slice(-8)}` : "–";
  element("journal").title = hash || "";
  if (health.database !== "ok") notice(health.database);
  else notice(health.indexer ? indexerNotice(health.indexer) : "");
}

function indexerNotice(indexer) {
  const reason = indexer.waiting_for;
  if (indexer.mode === "stopped") return reason ? `The indexer has stopped: ${reason}` : "The indexer has stopped.";
  return reason ? `The indexer is waiting for ${reason}` : "";
}

function notice(text) {
  const node = element("notice");
  if (node.textContent !== text) node.textContent = text;
  node.hidden = text === "";
}

async function read(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(GIVE_UP_MS), credentials: "omit" });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || `status ${answer.status}`);
  return body;
}

async function refresh() {
  try {
    showHealth(await read("api/health"));
    showPairs(await read("api/pairs"));
    failures = 0;
    failingSince = null;
  } catch (error) {
    failures += 1;
    failingSince ??= new Date();
    const since = failingSince.toLocaleTimeString();
    const known = error.name === "Error" ? error.message : "The server cannot be reached.";
    notice(`${known} Not updated since ${since}; trying again.`);
  }
  element("markets").classList.toggle("stale", failures > 0);
  const pause = Math.min(SLOWEST_MS, EVERY_MS * 2 ** Math.min(failures, 5));
  setTimeout(() => (document.hidden ? waitForReader() : refresh()), pause);
}

function waitForReader() {
  document.addEventListener("visibilitychange", refresh, { once: true });
}

async function showVenue() {
  try {
    element("venue").textContent = (await read("api/venue")).name;
  } catch {
    // The name is decoration: what matters is told by refresh().
  }
}

skeleton();
showVenue();
refresh();
