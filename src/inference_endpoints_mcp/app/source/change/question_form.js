import { button, el, fill } from "../dom.js";

/**
 * Shows a question of the server in an element, and waits for the answer. The words are the server's own, in full.
 *
 * @param {Element} place
 * @param {string} question
 * @param {any} schema of the answer: its properties are booleans or texts
 * @returns {Promise<{action: string, content?: Record<string, any>}>}
 */
export function askIn(place, question, schema) {
  return new Promise((resolve) => {
    const fields = Object.entries(schema?.properties ?? {}).map(([name, property]) => fieldFor(name, property));
    const form = el(
      "form",
      {
        class: "question",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          resolve({
            action: "accept",
            content: Object.fromEntries(fields.map((field) => [field.name, field.value()])),
          });
        },
      },
      el("h3", {}, "The server asks"),
      el("pre", { class: "words", tabindex: "0", "aria-label": "Question" }, question),
      ...fields.map((field) => field.element),
      el(
        "div",
        { class: "buttons" },
        button("Decline", () => resolve({ action: "decline" })),
        el("button", { class: "strong" }, "Send answer"),
      ),
    );
    fill(place, form);
    form.querySelector("input")?.focus();
  });
}

/** @param {string} name @param {any} property */
function fieldFor(name, property) {
  const boolean = property.type === "boolean";
  const input = el(
    "input",
    boolean ? { type: "checkbox" } : { type: "text", autocomplete: "off", spellcheck: "false" },
  );
  const label = property.title ?? name;
  const hint = property.description ? el("small", {}, property.description) : null;
  return {
    name,
    element: el("label", { class: "field" }, boolean ? input : null, label, boolean ? null : input, hint),
    value: () => (boolean ? input.checked : input.value),
  };
}
