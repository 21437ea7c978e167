// Toast where a module that is loaded on a click cannot be fetched: offline, or the site was updated in between.

import { showToast } from "../lib/toasts.js";
import { shell as strings } from "../strings/shell.js";

/** What Chromium, Firefox and Safari call a failed `import()`; it has no error class of its own. */
const FAILED_IMPORT = /dynamically imported module|importing a module script failed/i;

/** Report failed imports that no caller handles. Called once for each page. */
export function reportLoadFailures() {
  addEventListener("unhandledrejection", ({ reason }) => {
    if (!FAILED_IMPORT.test(reason?.message)) return;
    const reload = { text: strings.reload, run: () => location.reload() };
    showToast("load-failure", { kind: "bad", ...strings.notLoaded, actions: [reload] });
  });
}
