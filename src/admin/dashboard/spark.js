// SPDX-License-Identifier: Apache-2.0
// A line of the last minutes. One SVG path for the line, one for the area below it.
import { svg, setAttribute } from "./dom.js";

const WIDTH = 60, HEIGHT = 20;

export function spark(tone) {
  const area = svg("path", { class: "area" });
  const line = svg("path", { class: "line" });
  const box = svg("svg", {
    class: "spark " + tone, viewBox: `0 -1 ${WIDTH} ${HEIGHT + 2}`, preserveAspectRatio: "none", "aria-hidden": "true",
  }, area, line);
  return { box, area, line };
}

// `at(i)` of 0..n-1, oldest first; NaN leaves a gap. `floor`: the least value at full height.
export function drawSpark(s, n, at, floor) {
  let max = floor, line = "", area = "", begin = -1, end = 0;
  for (let i = 0; i < n; i++) if (at(i) > max) max = at(i);
  for (let i = 0; i < n; i++) {
    const value = at(i);
    const x = Math.round((i * WIDTH * 10) / (n - 1)) / 10;
    if (Number.isNaN(value)) {
      if (begin >= 0) area += `V${HEIGHT}H${begin}Z`;
      begin = -1;
      continue;
    }
    const y = Math.round((HEIGHT - (HEIGHT * value) / max) * 10) / 10;
    line += (begin < 0 ? "M" : "L") + x + " " + y;
    area += begin < 0 ? `M${x} ${HEIGHT}V${y}` : `L${x} ${y}`;
    if (begin < 0) begin = x;
    end = x;
  }
  if (begin >= 0 && end > begin) area += `V${HEIGHT}H${begin}Z`;
  s.box.classList.toggle("flat", max === floor && !(at(n - 1) > 0));
  setAttribute(s.line, "d", line);
  setAttribute(s.area, "d", area);
}
