// "Is my balance counted?": fetches an account's proof, checks it in the page, and shows the roots to compare.

import { grouped } from "./amounts.js";
import { read } from "./api.js";
import { make } from "./dom.js";
import { ProofError, canHash, checkProof } from "./proof.js";
import { table, row } from "./rows.js";
import { isAccount } from "./session.js";
import { proofCard as words } from "./strings.js";

/**
 * A panel that checks the proof of an account.
 * @param {string} [name] the account; without it the reader is asked for one
 * @returns {HTMLElement}
 */
export function proofCard(name = "") {
  const input = make("input", {
    className: "text",
    id: "proof-name",
    value: name,
    autocapitalize: "none",
    spellcheck: "false",
    maxlength: "18",
    autocomplete: "off",
  });
  const result = make("div", { role: "status" });
  const button = make("button", { type: "submit", className: "button" }, words.check);
  const form = make(
    "form",
    {
      className: "prooform",
      onsubmit: async (event) => {
        event.preventDefault();
        button.disabled = true;
        await run(input.value.trim().replace(/^@/, "").toLowerCase(), result);
        button.disabled = false;
      },
    },
    make("div", { className: "field" }, make("label", { htmlFor: "proof-name" }, words.name), input),
    button,
  );
  return make(
    "section",
    { className: "panel", id: "proof", "aria-labelledby": "proof-title" },
    make("header", {}, make("h2", { id: "proof-title" }, words.title)),
    make("div", { className: "body stack" }, make("p", { className: "muted" }, words.lead), form, result),
  );
}

async function run(name, result) {
  if (!isAccount(name)) {
    result.replaceChildren(make("p", { className: "bad" }, words.noName));
    return;
  }
  if (!canHash()) {
    result.replaceChildren(make("p", { className: "bad" }, words.cannotHash));
    return;
  }
  try {
    const proof = await read("proof", { user: name });
    await checkProof(proof, name);
    result.replaceChildren(...(proof.tokens.length ? shown(proof, name) : [make("p", {}, words.nothing(name))]));
  } catch (error) {
    const wrong = error instanceof ProofError;
    result.replaceChildren(make("p", { className: "bad" }, wrong ? words.wrong(error.message) : error.message));
  }
}

function shown(proof, name) {
  const columns = words.columns.map((text, at) => ({ text, num: at > 0 && at < 4, narrow: "whole", label: at > 0 }));
  const { node, body } = table(words.caption(name), columns, "cards dense");
  for (const token of proof.tokens) {
    const line = row(columns);
    const cells = line.children;
    [token.symbol, grouped(token.total), grouped(token.root.total), grouped(String(token.root.leaves))].forEach(
      (text, at) => {
        cells[at].textContent = text;
      },
    );
    cells[4].append(make("span", { className: "hash", title: token.root.hash }, `${token.root.hash.slice(0, 16)}…`));
    body.append(line);
  }
  return [
    make("p", { className: "ok" }, words.right(proof.tokens.length, grouped(String(proof.root_block)))),
    make("div", { className: "scroll" }, node),
    make("p", { className: "small muted" }, words.compare),
  ];
}
