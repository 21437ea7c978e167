// At most ten paints a second, whatever arrives.

const LEAST_MS = 100;

/** @type {Set<() => void>} */
const waiting = new Set();
let last = 0;
let planned = false;

/**
 * Run `work` at the next paint; asking twice before it runs is asking once.
 * @param {() => void} work
 */
export function paint(work) {
  waiting.add(work);
  if (planned) return;
  planned = true;
  setTimeout(() => requestAnimationFrame(run), Math.max(0, LEAST_MS - (performance.now() - last)));
}

function run() {
  planned = false;
  last = performance.now();
  const works = [...waiting];
  waiting.clear();
  for (const work of works) work();
}

/**
 * Run `work` once what is there now has been painted: for what may come later.
 * @param {() => void} work
 */
export function afterPaint(work) {
  requestAnimationFrame(() => setTimeout(work));
}
