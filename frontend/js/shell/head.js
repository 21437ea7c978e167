// What the first paint needs: dark or light theme, the system's until the user chooses one, whether there is an account, and the
// font. Then the modules are requested: together with the styles they would delay the first paint. A classic script in the head.

(() => {
  const KEY = "peakedex.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: light)");

  let chosen = null;

  function read() {
    try {
      chosen = localStorage.getItem(KEY);
      root.classList.toggle("has-account", localStorage.getItem("peakedex.account") !== null);
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
  document.head.append(document.getElementById("early").content);
  // Requested now, not at the first layout. A preload link would warn on pages that find the font in the cache.
  document.fonts.load("14px 'IBM Plex Sans'").catch(() => {}); // without it the system's font is used
})();
