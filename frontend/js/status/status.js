// Status screen: what the API says now, and the history that the operator's monitor has written. Both files are static,
// so that the page works while the API does not.

import { read } from "../data/api.js";
import { grouped } from "../lib/amounts.js";
import { byId, el, setText } from "../lib/dom.js";
import { age, timeOfDay, utcDay, utcTime } from "../lib/format.js";
import { dataTable } from "../lib/table.js";
import { panel } from "../lib/widgets.js";
import { mountShell } from "../shell/shell.js";
import { status as strings } from "../strings/status.js";
import { conditionOf, lastDays, observed, parseHistory, shares } from "./history.js";

const HISTORY = "status.json"; // beside the page
const REFRESH_MS = 30_000;
const TIMEOUT_MS = 10_000;
const STALE_SECONDS = 300;
const CLASSES = { ok: "ok", degraded: "sell", down: "bad" };

const parts = {
  condition: el("p", { className: "condition", role: "status" }, strings.asking),
  detail: el("p", {}),
  answered: el("p", { className: "muted small" }),
  watched: el("p", { className: "muted" }, strings.loading),
  uptime: el("p", {}),
  days: el("ol", { className: "days", "aria-label": strings.days }),
};
const incidents = incidentsTable();
const incidentsPanel = panel("incidents", strings.incidents, { content: [incidents.node] });

mountShell("status");
byId("page").append(
  el("p", { className: "lead" }, strings.lead),
  panel("now", strings.now, { content: [el("div", { className: "body stack" }, parts.condition, parts.detail, parts.answered)] }),
  panel("history", strings.history, { content: [el("div", { className: "body stack" }, parts.uptime, parts.days, parts.watched)] }),
  incidentsPanel,
);
refresh();
setInterval(() => document.hidden || refresh(), REFRESH_MS);
document.addEventListener("visibilitychange", () => document.hidden || refresh());

function refresh() {
  showNow();
  showHistory();
}

// -- now -------------------------------------------------------------------------------------------------------------

async function showNow() {
  try {
    const health = await read("health");
    const [condition, text] = judge(health);
    showCondition(condition, text);
    setText(parts.answered, strings.answered(timeOfDay(Date.now())));
  } catch (error) {
    showCondition("down", error.message);
    setText(parts.answered, strings.silent(timeOfDay(Date.now())));
  }
}

// As indexer/notify/status_history.py judges.
function judge({ database, warning, alarms, block, age_seconds: seconds }) {
  if (database !== "ok") return ["down", database];
  const problems = [...(warning ? [warning] : []), ...alarms];
  if (problems.length) return ["degraded", problems.join(" ")];
  return ["ok", block === null ? "" : strings.block(grouped(String(block)), age(seconds ?? 0))];
}

function showCondition(condition, text) {
  parts.condition.className = `condition ${CLASSES[condition]}`;
  setText(parts.condition, strings.conditions[condition]);
  setText(parts.detail, text);
}

// -- history ---------------------------------------------------------------------------------------------------------

async function showHistory() {
  let history = null;
  try {
    const response = await fetch(HISTORY, { signal: AbortSignal.timeout(TIMEOUT_MS), credentials: "omit", cache: "no-cache" });
    history = response.ok ? parseHistory(await response.text()) : null;
  } catch {
    // as for a file that is none
  }
  incidentsPanel.hidden = history === null;
  if (history === null) {
    setText(parts.watched, strings.failed);
    return;
  }
  setText(parts.watched, watchedText(history));
  const days = lastDays(history.days, Date.now());
  const found = shares(days);
  setText(parts.uptime, found ? strings.uptime(found.available, found.seen) : "");
  parts.days.replaceChildren(...days.map(dayBar));
  incidents.show(history.incidents);
}

function watchedText({ updated, now }) {
  if (updated === null || now === null) return strings.noHistory;
  const seconds = (Date.now() - Date.parse(updated)) / 1000;
  if (seconds > STALE_SECONDS) return strings.notLooking(age(seconds));
  return `${strings.watched(strings.conditions[now.condition], utcTime(now.since))} ${strings.lookedAt(age(seconds))}`;
}

// Colour is not all that tells the conditions apart: each day has its text.
function dayBar(day) {
  const parts = ["down", "degraded"].filter((name) => day[name] > 0).map((name) => strings.part(strings.conditions[name], age(day[name])));
  const what = observed(day) === 0 ? strings.unobserved : parts.join(", ") || strings.conditions.ok;
  const text = strings.aDay(utcDay(day.date), what);
  return el("li", { className: conditionOf(day), title: text }, el("span", { className: "visually-hidden" }, text));
}

function incidentsTable() {
  const { condition, since, lasted, text } = strings.columns;
  const columns = [
    { text: condition, narrow: "left" },
    { text: since, narrow: "right" },
    { text: lasted, narrow: "left", label: true },
    { text, narrow: "whole" },
  ];
  return dataTable(strings.incidentsCaption, columns, strings.noIncidents, ({ since: key }) => key, (cells, incident) => {
    const end = incident.until === null ? Date.now() : Date.parse(incident.until);
    const duration = age((end - Date.parse(incident.since)) / 1000);
    setText(cells[0], strings.conditions[incident.condition]);
    cells[0].className = CLASSES[incident.condition];
    setText(cells[1], utcTime(incident.since));
    setText(cells[2], incident.until === null ? strings.lasting(duration) : duration);
    setText(cells[3], incident.text);
    cells[3].className = "muted wrap";
  });
}
