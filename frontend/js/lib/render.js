// Render scheduler: at most ten renders a second, whatever the rate of events.

const INTERVAL_MS = 100;
/** More than the stream waits for further topics: the request of the data goes before those of modules. */
const AFTER_PAINT_MS = 40;

/** @type {Set<() => void>} */
const queue = new Set();
let last = 0;
let scheduled = false;

/**
 * Run `work` at the next render. A function that is scheduled twice before it runs, runs once.
 * @param {() => void} work
 */
export function scheduleRender(work) {
  queue.add(work);
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => requestAnimationFrame(run), Math.max(0, INTERVAL_MS - (performance.now() - last)));
}

function run() {
  scheduled = false;
  last = performance.now();
  const works = [...queue];
  queue.clear();
  for (const work of works) work();
}

/**
 * Request the modules that the page imports after the first paint, which its template `later` lists: all at once, because
 * nested imports would cost a round trip each.
 */
export function preloadLater() {
  document.head.append(/** @type {HTMLTemplateElement} */ (document.getElementById("later")).content);
}

/**
 * Run `work` after the next paint and the page's subscription, so that it delays neither what is on the screen first nor
 * its data.
 * @param {() => void} work
 */
export function afterPaint(work) {
  requestAnimationFrame(() => setTimeout(work, AFTER_PAINT_MS));
}
