// What this browser keeps for the site. Where it blocks storage, values last until the page is left.

/** Replaces a blocked storage. */
class Memory {
  #values = new Map();

  getItem(key) {
    return this.#values.get(key) ?? null;
  }

  setItem(key, value) {
    this.#values.set(key, value);
  }

  removeItem(key) {
    this.#values.delete(key);
  }

  keys() {
    return [...this.#values.keys()];
  }
}

/** The browser's storage of that name; null where it throws, as with all cookies blocked. */
function usable(name) {
  try {
    const storage = globalThis[name];
    storage.setItem("peakedex.probe", "");
    storage.removeItem("peakedex.probe");
    return storage;
  } catch {
    return null;
  }
}

const kept = usable("localStorage");

/** Whether values outlive the page. */
export const isKept = kept !== null;

/** Values of all tabs. */
export const local = kept ?? new Memory();

/** Values of this tab. */
export const session = usable("sessionStorage") ?? new Memory();

/** The keys of `local`. @returns {string[]} */
export const localKeys = () => (local instanceof Memory ? local.keys() : Object.keys(local));

/**
 * A value of `local` that was stored as JSON; null if there is none, or what stands there is no JSON.
 * @param {string} key
 */
export function localJson(key) {
  try {
    return JSON.parse(local.getItem(key) ?? "null");
  } catch {
    return null; // written by another program
  }
}
