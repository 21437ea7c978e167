// Dark or light: the system's choice until the reader makes another. A plain script in the head, before the
// first paint, so that no page flashes in the wrong colours.

(() => {
  const KEY = "peakedex.theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: light)");

  function apply() {
    const chosen = localStorage.getItem(KEY);
    root.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : system.matches ? "light" : "dark";
    root.dispatchEvent(new Event("themechange"));
  }

  root.addEventListener("themeswitch", () => {
    localStorage.setItem(KEY, root.dataset.theme === "dark" ? "light" : "dark");
    apply();
  });
  system.addEventListener("change", apply);
  addEventListener("storage", apply);
  apply();
})();
