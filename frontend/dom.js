// Making and changing elements. Text enters by textContent alone, so nothing from the chain can become markup.

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export const byId = (id) => {
  const node = document.getElementById(id);
  if (!node) throw new Error(`no element #${id}`);
  return node;
};

const AS_PROPERTY = new Set([
  "className",
  "textContent",
  "value",
  "checked",
  "disabled",
  "hidden",
  "tabIndex",
  "htmlFor",
]);

/**
 * An element. Attributes whose value is null, undefined or false are left out; functions named `onclick` and the
 * like become listeners.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  set(node, attributes);
  add(node, children);
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/**
 * An SVG element.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function draw(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (AS_PROPERTY.has(key)) node[key] = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
}

function add(node, children) {
  for (const child of children) if (child !== null && child !== undefined && child !== false) node.append(child);
}

/**
 * Write text where it differs. True when there was another text before: then a reader may want to see a flash.
 * @param {HTMLElement} node
 * @param {string} text
 */
export function write(node, text) {
  const before = node.textContent;
  if (before === text) return false;
  node.textContent = text;
  return before !== "";
}

/**
 * Show exactly these children, moving and removing as few as possible.
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} children
 */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

/**
 * Flash an element's background once.
 * @param {HTMLElement} node
 */
export function flash(node) {
  node.classList.remove("flash");
  void node.offsetWidth; // starts the animation anew
  node.classList.add("flash");
}

/**
 * Grey bars in the place of text that is not there yet.
 * @param {HTMLElement} body of a table
 * @param {number} rows
 * @param {number} columns
 */
export function bones(body, rows, columns) {
  const line = () =>
    make(
      "tr",
      { className: "bones", "aria-hidden": "true" },
      ...Array.from({ length: columns }, () => make("td", {}, make("span", { className: "bone" }))),
    );
  body.replaceChildren(...Array.from({ length: rows }, line));
}

/**
 * Copy text, and say so on the button.
 * @param {HTMLElement} button
 * @param {string} text
 * @param {string} done
 */
export async function copy(button, text, done) {
  const before = button.textContent;
  await navigator.clipboard.writeText(text);
  button.textContent = done;
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
}
