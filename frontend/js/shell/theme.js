// Dark or light theme: the system's until the user chooses one. A classic script in the head, so that it runs before
// the first paint.

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
