// The list of pairs to jump to: by mouse, by `/`, by arrows.

import { read } from "./api.js";
import { grouped } from "./amounts.js";
import { make } from "./dom.js";
import { change, NONE } from "./figures.js";
import { picker as words } from "./strings.js";

/** Open the list. */
export async function openPicker() {
  if (document.querySelector("dialog.picker")) return;
  const input = make("input", {
    className: "text",
    type: "search",
    "aria-label": words.search,
    placeholder: words.search,
    spellcheck: "false",
    autocomplete: "off",
  });
  const list = make("nav", { className: "list", "aria-label": words.title });
  const dialog = make(
    "dialog",
    { className: "picker", "aria-label": words.title },
    make("div", { className: "find" }, input),
    list,
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => walk(event, input, list));
  document.body.append(dialog);
  dialog.showModal();
  input.focus();
  list.append(make("p", { className: "empty" }, words.loading));
  let pairs;
  try {
    pairs = (await read("pairs")).pairs;
  } catch (error) {
    list.replaceChildren(make("p", { className: "empty" }, error.message));
    return;
  }
  const show = () => {
    const wanted = input.value.trim().toUpperCase();
    const found = pairs.filter((pair) => `${pair.base}/${pair.quote}`.includes(wanted));
    list.replaceChildren(...found.map(link), ...(found.length ? [] : [make("p", { className: "empty" }, words.none)]));
  };
  input.addEventListener("input", show);
  show();
}

function link(pair) {
  const [text, side] = change(pair.change_24h_percent);
  return make(
    "a",
    { href: `trade.html?${new URLSearchParams({ base: pair.base, quote: pair.quote })}` },
    make("span", {}, pair.base, make("span", { className: "muted" }, ` / ${pair.quote}`)),
    make("span", { className: "num" }, pair.last_price === null ? NONE : grouped(pair.last_price)),
    make("span", { className: `num ${side}` }, text),
  );
}

function walk(event, input, list) {
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
