// Download of the account's statement: a format and a period, as one file from the API.

import { apiUrl, readText } from "../data/api.js";
import { el } from "../lib/dom.js";
import { field, panel } from "../lib/widgets.js";
import { statement as strings } from "../strings/statement.js";

/** What the API's /api/statement/file offers. */
const FORMATS = ["csv", "koinly", "cointracking"];
const KEPT_MS = 10_000;

/**
 * The section with the form.
 * @param {string} user
 * @returns {HTMLElement}
 */
export function statementSection(user) {
  const today = new Date().toISOString().slice(0, 10);
  const day = (name, value) => field(`statement-${name}`, strings[name], { type: "date", value, max: today });
  const from = day("from", `${today.slice(0, 4)}-01-01`);
  const to = day("to", today);
  const format = el("select", { id: "statement-format" }, ...FORMATS.map((value) => el("option", { value }, strings.formats[value])));
  const submit = el("button", { type: "submit", className: "button" }, strings.download);
  const onsubmit = async (event) => {
    event.preventDefault();
    const period = { from: from.input.value, to: to.input.value };
    from.setError(period.from && period.to && period.from > period.to ? strings.order : "");
    if (from.input.hasAttribute("aria-invalid")) return;
    submit.disabled = true;
    try {
      const { text } = await readText("statement/file", { user, format: format.value, ...period });
      save(text, `peakedex-${user}-${format.value}.csv`);
    } catch (error) {
      from.setError(error.message);
    }
    submit.disabled = false;
  };
  const choice = el("div", { className: "field" }, el("label", { htmlFor: format.id }, strings.format), format);
  const form = el("form", { className: "proof-form", onsubmit, novalidate: true }, choice, from.node, to.node, submit);
  const body = el("div", { className: "body stack" }, el("p", { className: "muted" }, strings.lead), form);
  const feed = el("a", { href: apiUrl("atom", { user }), title: strings.feedTitle }, strings.feed);
  return panel("statement", strings.title, { tools: [feed], content: [body] });
}

function save(text, name) {
  const link = el("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
}
