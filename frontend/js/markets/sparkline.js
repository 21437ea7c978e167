// Sparkline: a small line chart without axes.

import { svg } from "../lib/dom.js";

const WIDTH = 104;
const HEIGHT = 32;

/**
 * @param {number[]} values oldest first
 * @param {string} label for screen readers
 * @returns {SVGElement|null} null for fewer than two values
 */
export function sparkline(values, label) {
  if (values.length < 2) return null;
  const low = Math.min(...values);
  const span = Math.max(...values) - low || 1;
  const points = values.map((value, at) => {
    const x = (at / (values.length - 1)) * WIDTH;
    const y = 2 + (1 - (value - low) / span) * (HEIGHT - 4);
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const side = values.at(-1) >= values[0] ? "buy" : "sell";
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    svg("path", { class: side, d: `M${points.join("L")}` }),
  );
}
