// Panel that fetches an account's proof of liabilities, verifies it in the page, and shows the roots.

import { read } from "../data/api.js";
import { accountName, isAccount } from "../lib/account-name.js";
import { grouped } from "../lib/amounts.js";
import { el } from "../lib/dom.js";
import { table, tableRow } from "../lib/table.js";
import { panel } from "../lib/widgets.js";
import { proofCard as strings } from "../strings/proof.js";

/**
 * @param {string} [name] the account that is filled in
 * @returns {HTMLElement}
 */
export function proofCard(name = "") {
  const input = el("input", {
    className: "text",
    id: "proof-name",
    value: name,
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: "18",
    autocomplete: "off",
  });
  const result = el("div", { role: "status" });
  const submit = el("button", { type: "submit", className: "button" }, strings.check);
  const onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    result.replaceChildren(...(await verify(accountName(input.value))));
    submit.disabled = false;
  };
  const form = el(
    "form",
    { className: "proof-form", onsubmit },
    el("div", { className: "field" }, el("label", { htmlFor: "proof-name" }, strings.name), input),
    submit,
  );
  const body = el("div", { className: "body stack" }, el("p", { className: "muted" }, strings.lead), form, result);
  return panel("proof", strings.title, { content: [body], attributes: { id: "proof" } });
}

async function verify(name) {
  const error = (text) => [el("p", { className: "bad" }, text)];
  if (!isAccount(name)) return error(strings.invalidName);
  const { canHash, ProofError, verifyProof } = await import("./proof.js");
  if (!canHash()) return error(strings.cannotHash);
  try {
    const proof = await read("proof", { user: name });
    await verifyProof(proof, name);
    return proof.tokens.length ? details(proof, name) : [el("p", {}, strings.nothing(name))];
  } catch (problem) {
    return error(problem instanceof ProofError ? strings.invalid(problem.message) : problem.message);
  }
}

function details(proof, name) {
  const columns = strings.columns.map((text, at) => ({ text, num: at > 0 && at < 4, narrow: "whole", label: at > 0 }));
  const { node, body } = table(strings.caption(name), columns, "cards dense");
  for (const { symbol, total, root } of proof.tokens) {
    const row = tableRow(columns);
    const texts = [symbol, grouped(total), grouped(root.total), grouped(String(root.leaves))];
    texts.forEach((text, at) => row.children[at].append(text));
    row.children[4].append(el("span", { className: "hash", title: root.hash }, `${root.hash.slice(0, 16)}…`));
    body.append(row);
  }
  return [
    el("p", { className: "ok" }, strings.valid(proof.tokens.length, grouped(String(proof.root_block)))),
    el("div", { className: "scroll" }, node),
    el("p", { className: "small muted" }, strings.compare),
  ];
}
