// Helpers to create and update elements. Text is set by textContent only, so chain data can never become markup.

/**
 * The element with this id.
 * @param {string} id
 * @returns {HTMLElement}
 * @throws {Error} if there is none
 */
export const byId = (id) => {
  const node = document.getElementById(id);
  if (!node) throw new Error(`no element #${id}`);
  return node;
};

const PROPERTIES = new Set(["className", "textContent", "value", "checked", "disabled", "hidden", "tabIndex", "htmlFor"]);

/**
 * Create an element. Attributes that are null, undefined or false are skipped; those that begin with `on` are event
 * listeners.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|null|undefined|false)} children
 * @returns {any}
 */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (isSkipped(value)) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (PROPERTIES.has(key)) node[key] = value;
    else if (key === "dataset") Object.assign(node.dataset, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => !isSkipped(child)));
  return node;
}

const isSkipped = (value) => value === null || value === undefined || value === false;

/**
 * Create a button that is not a submit button.
 * @param {Node|string} content
 * @param {(event: Event) => void} onclick
 * @param {Record<string, any>} [attributes]
 * @returns {any}
 */
export const button = (content, onclick, attributes = {}) => el("button", { type: "button", onclick, ...attributes }, content);

/**
 * Create an SVG element.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/**
 * Set the text of an element if it differs.
 * @param {HTMLElement} node
 * @param {string} text
 * @returns {boolean} true if it replaced another text: the caller may then flash the element
 */
export function setText(node, text) {
  const before = node.textContent;
  if (before === text) return false;
  node.textContent = text;
  return before !== "";
}

/**
 * Make these the only children, moving as few elements as possible.
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} children
 */
export function setChildren(parent, children) {
  const kept = new Set(children);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

/**
 * Flash the background of an element once.
 * @param {HTMLElement} node
 */
export function flash(node) {
  node.classList.remove("flash");
  requestAnimationFrame(() => node.classList.add("flash")); // a new frame restarts the animation
}

/**
 * Copy text to the clipboard and confirm on the button for 1.5 s.
 * @param {HTMLElement} node the button
 * @param {string} text
 * @param {string} done
 */
export async function copyText(node, text, done) {
  const before = node.textContent;
  await navigator.clipboard.writeText(text);
  node.textContent = done;
  setTimeout(() => {
    node.textContent = before;
  }, 1500);
}
