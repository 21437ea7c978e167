// Dialog to search and open another pair; arrow keys move through the list.

import { read } from "../data/api.js";
import { grouped } from "../lib/amounts.js";
import { el } from "../lib/dom.js";
import { percentChange, NONE } from "../lib/format.js";
import { pairPicker as strings } from "../strings/workspace.js";

export async function openPairPicker() {
  if (document.querySelector("dialog.pair-picker")) return;
  const input = el("input", {
    className: "text",
    type: "search",
    "aria-label": strings.search,
    placeholder: strings.search,
    spellcheck: "false",
    autocomplete: "off",
  });
  const note = (text) => el("p", { className: "empty" }, text);
  const list = el("nav", { className: "list", "aria-label": strings.title }, note(strings.loading));
  const attributes = { className: "pair-picker", "aria-label": strings.title };
  const dialog = el("dialog", attributes, el("div", { className: "find" }, input), list);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => onKey(event, input, list));
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  try {
    const { pairs } = await read("pairs");
    const show = () => {
      const query = input.value.trim().toUpperCase();
      const found = pairs.filter((pair) => `${pair.base}/${pair.quote}`.includes(query));
      list.replaceChildren(...(found.length ? found.map(link) : [note(strings.none)]));
    };
    input.addEventListener("input", show);
    show();
  } catch (error) {
    list.replaceChildren(note(error.message));
  }
}

function link(pair) {
  const [text, side] = percentChange(pair.change_24h_percent);
  return el(
    "a",
    { href: `trade.html?${new URLSearchParams({ base: pair.base, quote: pair.quote })}` },
    el("span", {}, pair.base, el("span", { className: "muted" }, ` / ${pair.quote}`)),
    el("span", { className: "num" }, pair.last_price === null ? NONE : grouped(pair.last_price)),
    el("span", { className: `num ${side}` }, text),
  );
}

function onKey(event, input, list) {
  const links = [...list.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    const next = at + (event.key === "ArrowDown" ? 1 : -1);
    (links[next] ?? (next < 0 ? input : links.at(-1)))?.focus();
  } else if (event.key === "Enter" && document.activeElement === input && links[0]) {
    event.preventDefault();
    links[0].click();
  }
}
