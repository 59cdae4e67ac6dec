/**
 * An element. Children that are strings become text, never HTML.
 *
 * @param {string} tag
 * @param {Record<string, any>} [attributes] `on…` are listeners; null and false are left out.
 * @param {...(Node | string | null)} children
 * @returns {any}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Replaces what an element holds. @param {Element} parent @param {...(Node | string | null)} children */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null));
}

const FENCE = /untrusted-[0-9a-f]{12}/g; // is new in each answer

/** @type {WeakMap<Element, string>} */
const shownNow = new WeakMap();

/**
 * Fills an element where what it shows has changed, and else leaves it alone: a refresh must take no focus away, close
 * no list and cost no work.
 *
 * @param {Element} parent
 * @param {any} shown all that its content depends on
 * @param {() => (Node | string | null)[]} make
 */
export function refill(parent, shown, make) {
  const key = JSON.stringify(shown).replace(FENCE, "");
  if (shownNow.get(parent) === key) return;
  shownNow.set(parent, key);
  fill(parent, ...make());
}

/** @param {string} label @param {() => void} onclick @param {Record<string, any>} [attributes] */
export function button(label, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, label);
}

/** Tells a screen reader what happened. @param {string} text */
export function announce(text) {
  const status = document.getElementById("status");
  if (status && status.textContent !== text) status.textContent = text;
}
