// Render scheduler: at most ten renders a second, whatever the rate of events.

const INTERVAL_MS = 100;

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
 * Run `work` after the next paint, so that it does not delay what is on the screen first.
 * @param {() => void} work
 */
export function afterPaint(work) {
  requestAnimationFrame(() => setTimeout(work));
}
