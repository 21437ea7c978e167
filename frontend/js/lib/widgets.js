// Form fields, dialogs and error notes that several screens share.

import { widgets as strings } from "../strings/common.js";
import { button, el, setText } from "./dom.js";

/**
 * A labelled text input with a place for its error message.
 * @typedef {{node: HTMLElement, input: HTMLInputElement, labelRow: HTMLElement, setError: (problem: string) => void}} Field
 */

/**
 * @param {string} id
 * @param {string} label
 * @param {Record<string, any>} attributes of the input
 * @param {{unit?: string|Node, beside?: Node}} [parts] `unit` stands behind the input, `beside` next to the label
 * @returns {Field}
 */
export function field(id, label, attributes, { unit, beside } = {}) {
  const hint = el("p", { className: "hint bad", id: `${id}-hint`, hidden: true });
  const input = el("input", { id, spellcheck: "false", "aria-describedby": `${id}-hint`, ...attributes });
  const labelRow = el("div", { className: "label-row" }, el("label", { htmlFor: id }, label), beside);
  const box = el("div", { className: "input" }, input, unit && el("span", { className: "unit" }, unit));
  const node = el("div", { className: "field" }, labelRow, box, hint);
  const setError = (problem) => {
    hint.hidden = !problem;
    setText(hint, problem);
    node.classList.toggle("wrong", Boolean(problem));
    input.toggleAttribute("aria-invalid", Boolean(problem));
  };
  return { node, input, labelRow, setError };
}

/** Attributes of an input for a number. */
export const NUMERIC = { className: "number", inputmode: "decimal", placeholder: "0" };

/**
 * Open a modal dialog with a title bar and a form. It leaves the page when it is closed.
 * @param {string} id prefix of the ids inside
 * @param {string} title
 * @param {{body: any[], footer: any[], onsubmit: (event: Event) => void, describedBy?: string}} content
 * @returns {HTMLDialogElement}
 */
export function openFormDialog(id, title, { body, footer, onsubmit, describedBy }) {
  const dialog = el(
    "dialog",
    { "aria-labelledby": `${id}-title`, "aria-describedby": describedBy },
    el(
      "header",
      {},
      el("h2", { id: `${id}-title` }, title),
      button("×", () => dialog.close(), { className: "icon", "aria-label": strings.close }),
    ),
    el("form", { onsubmit, novalidate: true }, el("div", { className: "body" }, ...body), el("footer", {}, ...footer)),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * An error message with a Retry button.
 * @param {string} message
 * @param {() => void} retry
 */
export const errorNote = (message, retry) =>
  el("div", { className: "error-note", role: "status" }, message, button(strings.retry, retry, { className: "plain" }));

/**
 * A panel with a heading and tools beside it.
 * @param {string} id prefix of the heading's id
 * @param {string} title
 * @param {{tools?: Node[], content: Node[], attributes?: Record<string, any>}} parts
 */
export const panel = (id, title, { tools = [], content, attributes = {} }) =>
  el(
    "section",
    { className: "panel", "aria-labelledby": `${id}-title`, ...attributes },
    el("header", {}, el("h2", { id: `${id}-title` }, title), el("span", { className: "spacer" }), ...tools),
    ...content,
  );
