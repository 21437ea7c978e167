// What this browser stores for the site. A value that it does not store, because storage is blocked or full, lasts
// until the page is left.

/** Web storage that never throws. */
class Store {
  /** @param {"localStorage"|"sessionStorage"} name */
  constructor(name) {
    /** @type {Map<string, string>} values that the browser did not take */
    this.unsaved = new Map();
    /** @type {Storage|null} */
    this.saved = null;
    this.isKept = false;
    try {
      this.saved = globalThis[name]; // throws where all cookies are blocked
      this.saved.setItem("peakedex.probe", "");
      this.saved.removeItem("peakedex.probe");
      this.isKept = true;
    } catch {
      // What is stored already can be read, where the storage is only full.
    }
  }

  /** @param {string} key @returns {string|null} */
  getItem(key) {
    return this.unsaved.get(key) ?? this.attempt(() => this.saved?.getItem(key)) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    const isSaved = this.attempt(() => {
      this.saved?.setItem(key, value);
      return this.saved !== null;
    });
    if (isSaved) this.unsaved.delete(key);
    else this.unsaved.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.unsaved.delete(key);
    this.attempt(() => this.saved?.removeItem(key));
  }

  /** @returns {string[]} */
  keys() {
    return [...new Set([...(this.attempt(() => Object.keys(this.saved ?? {})) ?? []), ...this.unsaved.keys()])];
  }

  /** @template Value @param {() => Value} access @returns {Value|undefined} undefined where the browser refuses */
  attempt(access) {
    try {
      return access();
    } catch {
      return undefined;
    }
  }
}

/** Values of all tabs. */
export const local = new Store("localStorage");

/** Values of this tab. */
export const session = new Store("sessionStorage");

/** Whether values outlive the page. */
export const isKept = local.isKept;

/** The keys of `local`. @returns {string[]} */
export const localKeys = () => local.keys();

/**
 * A value of `local` that was stored as JSON; null if there is none, or it is not JSON.
 * @param {string} key
 */
export function localJson(key) {
  try {
    return JSON.parse(local.getItem(key) ?? "null");
  } catch {
    return null; // written by another program
  }
}
