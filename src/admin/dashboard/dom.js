// SPDX-License-Identifier: Apache-2.0
// Building and changing the page. Names, tags, reasons and errors come from whoever registers a
// service or types a reason, so text enters the page as text nodes alone; nothing in this folder
// builds markup from strings.

const SVG = "http://www.w3.org/2000/svg";

function fill(e, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {}))
    if (name === "on") for (const [event, fn] of Object.entries(value)) e.addEventListener(event, fn);
    else if (value === true) e.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) e.setAttribute(name, value);
  e.append(...children.filter((c) => c !== null && c !== undefined));
  return e;
}

// h("p", {class: "x", on: {click}}, "text", child, ...)
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

export const byId = (id) => document.getElementById(id);

// The three below touch the page only when something differs. `e` holds one text node at most.
export function setText(e, text) {
  const node = e.firstChild;
  if (!node) {
    if (text !== "") e.append(text);
  } else if (node.data !== text) node.data = text;
}

export function setClass(e, name) {
  if (e.getAttribute("class") !== name) e.setAttribute("class", name);
}

export function setAttribute(e, name, value) {
  if (value === null) e.removeAttribute(name);
  else if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

export function setHidden(e, hidden) {
  if (e.hidden !== hidden) e.hidden = hidden;
}

// localStorage and sessionStorage may be forbidden: then nothing is remembered.
export function recall(store, key) {
  try {
    return window[store].getItem(key) || "";
  } catch {
    return "";
  }
}

export function remember(store, key, value) {
  try {
    if (value) window[store].setItem(key, value);
    else window[store].removeItem(key);
  } catch {
    return;
  }
}
