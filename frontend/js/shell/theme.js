// Dark or light theme, the system's until the user chooses one, and the font. A classic script in the head, so that it runs before
// the first paint.

(() => {
  const KEY = "peakedex.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: light)");

  let chosen = null;

  function read() {
    try {
      chosen = localStorage.getItem(KEY);
    } catch {
      // Storage is blocked: the choice lasts until the page is left.
    }
  }

  function apply() {
    root.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : system.matches ? "light" : "dark";
    root.dispatchEvent(new Event("themechange"));
  }

  root.addEventListener("themeswitch", () => {
    chosen = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, chosen);
    } catch {
      // As above.
    }
    apply();
  });
  system.addEventListener("change", apply);
  addEventListener("storage", () => {
    read();
    apply();
  });
  read();
  apply();
  // Requested now, not at the first layout. A preload link would warn on pages that find the font in the cache.
  document.fonts.load("14px 'IBM Plex Sans'").catch(() => {}); // without it the system's font is used
})();
