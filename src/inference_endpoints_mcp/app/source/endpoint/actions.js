import { button, el } from "../dom.js";

const STOPPED = new Set(["paused", "scaledToZero", "failed"]);

/**
 * Buttons for the changes that make sense in this state. Each opens the plan; nothing is changed before the person goes
 * on, and then the server decides what needs approval.
 *
 * @param {any} endpoint
 * @param {(change: import("../types.js").Change) => void} change
 */
export function actionsOf(endpoint, change) {
  const { endpoint_name, namespace, state } = endpoint;
  const given = { endpoint_name, namespace };
  /** @param {string} verb @param {string} tool */
  const action = (verb, tool) =>
    button(
      `${verb}…`,
      () => change({ title: `${verb} ${endpoint_name}`, verb, tool, given }),
      tool === "delete_endpoint" ? { class: "danger" } : {},
    );
  return [
    STOPPED.has(state) ? action("Resume", "resume_endpoint") : null,
    state !== "paused" ? action("Pause", "pause_endpoint") : null,
    state === "running" ? action("Scale to zero", "scale_endpoint_to_zero") : null,
    scalingForm(endpoint, change),
    action("Delete", "delete_endpoint"),
  ].filter((one) => one !== null);
}

/** @param {any} endpoint @param {(change: import("../types.js").Change) => void} change */
function scalingForm(endpoint, change) {
  const { endpoint_name, namespace, min_replica, max_replica, scale_to_zero_timeout } = endpoint;
  const settings = [
    ["min_replica", "Least replicas", min_replica ?? 0],
    ["max_replica", "Most replicas", max_replica ?? 1],
    ["scale_to_zero_timeout", "Idle minutes", scale_to_zero_timeout ?? 15],
  ];
  const inputs = settings.map(([name, , value]) => el("input", { type: "number", min: "0", name, value }));
  /** @param {Event} event */
  const submit = (event) => {
    event.preventDefault();
    const differing = inputs.filter((input) => input.value !== "" && input.value !== input.defaultValue);
    const given = Object.fromEntries(differing.map((input) => [input.name, Number(input.value)]));
    if (differing.length) {
      change({
        title: `Scale ${endpoint_name}`,
        verb: "Change",
        tool: "update_endpoint",
        given: { endpoint_name, namespace, ...given },
      });
    }
  };
  return el(
    "details",
    {},
    el("summary", {}, "Scaling"),
    el(
      "form",
      { class: "scaling", onsubmit: submit },
      ...settings.map(([, label], index) => el("label", {}, label, inputs[index])),
      el("button", {}, "Show the plan…"),
    ),
  );
}
