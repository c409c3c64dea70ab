// SPDX-License-Identifier: Apache-2.0
// Each state has a shape of its own, so that no one has to tell it by its colour.
import { svg } from "./dom.js";
import { STATES } from "./words.js";

const OCTAGON = "M5 1h6l4 4v6l-4 4H5l-4-4V5z";
const DIAMOND = "M8 .5 15.5 8 8 15.5.5 8z";
const RING = "M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13z";

// [filled, stroked, stroked on the filled]
const SHAPES = {
  closed: ["", RING + "M5 8.3l2.2 2.2L11.2 6", ""],
  open: [OCTAGON, "", "M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4"],
  half_open: ["M8 1.5a6.5 6.5 0 0 1 0 13z", RING, ""],
  forced_open: [DIAMOND, "", "M5 8h6"],
  forced_closed: ["", DIAMOND + "M5.4 8.2l2 2L10.8 6.6", ""],
  disabled: ["", RING + "M3.6 12.4l8.8-8.8", ""],
  shadow: ["", "M8 1.5a6.5 6.5 0 0 1 4.6 1.9M14.5 8a6.5 6.5 0 0 1-1.9 4.6M8 14.5a6.5 6.5 0 0 1-4.6-1.9M1.5 8a6.5 6.5 0 0 1 1.9-4.6", ""],
};

export function stateIcon() {
  const box = svg("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { class: "solid" }), svg("path", { class: "stroke" }), svg("path", { class: "on-solid" }));
  return box;
}

export function setIcon(box, state) {
  const name = STATES[state] ? state : "disabled";
  if (box.getAttribute("data-state") === name) return;
  box.setAttribute("data-state", name);
  SHAPES[name].forEach((d, i) => box.children[i].setAttribute("d", d));
}
