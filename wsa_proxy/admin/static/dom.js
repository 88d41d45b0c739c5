// Making and renewing the document. A text is only ever a text: nothing that the network says is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Attributes that are null, undefined or false are left out, and so are such children; `true` is empty. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** An element of a picture. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children) {
    if (Array.isArray(child)) append(element, child);
    else if (child !== null && child !== undefined && child !== false && child !== "") element.append(child);
  }
}

/**
 * Give `live` the attributes and children of `wanted`, and change nothing that is the same already: focus, a selected
 * text, and what was typed stay. Children with `data-key` are known by it, others by their place; what has `data-keep`
 * is left as it is.
 */
export function renew(live, wanted) {
  if (live.hasAttribute("data-keep")) return;
  renewAttributes(live, wanted);
  if (live.childElementCount + wanted.childElementCount === 0) {
    if (live.textContent !== wanted.textContent) live.textContent = wanted.textContent;
    return;
  }
  const keys = new Set([...wanted.childNodes].map(keyOf).filter((key) => key !== null));
  const known = new Map();
  for (const child of [...live.childNodes]) {
    const key = keyOf(child);
    if (key !== null && !keys.has(key)) child.remove();
    else if (key !== null) known.set(key, child);
  }
  let here = live.firstChild;
  for (const next of [...wanted.childNodes]) {
    const same = sameNode(here, next, known);
    if (same === null) {
      live.insertBefore(next, here);
      continue;
    }
    if (same === here) here = here.nextSibling;
    else live.insertBefore(same, here);
    if (same.nodeType === Node.TEXT_NODE) {
      if (same.data !== next.data) same.data = next.data;
    } else {
      renew(same, next);
    }
  }
  while (here !== null) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.getAttribute("data-key") : null;
}

function sameNode(here, next, known) {
  const key = keyOf(next);
  const node = key === null ? here : (known.get(key) ?? null);
  return node !== null && keyOf(node) === key && node.nodeName === next.nodeName ? node : null;
}

/** Whether a <details> is open is the reader's choice, whatever it was at first. */
function renewAttributes(live, wanted) {
  const isKept = (name) => name === "open" && live.nodeName === "DETAILS";
  for (const name of live.getAttributeNames()) {
    if (!wanted.hasAttribute(name) && !isKept(name)) live.removeAttribute(name);
  }
  for (const name of wanted.getAttributeNames()) {
    const value = wanted.getAttribute(name);
    if (live.getAttribute(name) !== value && !isKept(name)) live.setAttribute(name, value);
  }
}
