import { unfenced } from "../answers.js";
import { el } from "../dom.js";
import { clockTime, money } from "../format.js";

/** The facts of an endpoint as a list of terms. @param {any} endpoint the answer of get_endpoint */
export function factsOf(endpoint) {
  const { min_replica: least, max_replica: most, scale_to_zero_timeout: idle } = endpoint;
  const atMost =
    endpoint.price_per_hour_usd === undefined ? undefined : endpoint.price_per_hour_usd * Math.max(most ?? 1, 1);
  /** @type {[string, string | undefined][]} */
  const facts = [
    ["Model", endpoint.repository],
    ["Revision", endpoint.revision],
    ["Hardware", endpoint.hardware],
    [
      "Replicas",
      `${endpoint.ready_replicas ?? 0} of ${endpoint.target_replicas ?? 0} ready; ${least ?? 0} to ${most ?? 1} allowed`,
    ],
    ["Costs now", money(endpoint.cost_now_per_hour_usd)],
    ["Costs at most", `${money(atMost)} with ${most ?? 1} replica(s)`],
    ["Scales to zero", least === 0 && idle ? `after ${idle} idle minutes` : "never"],
    ["Last used", endpoint.last_used_at && clockTime(endpoint.last_used_at)],
    ["Engine", endpoint.engine],
    ["Runs on", endpoint.backend],
    ["Address", endpoint.url],
  ];
  const told = facts.filter(([, value]) => value);
  return el(
    "div",
    {},
    endpoint.message ? el("p", { class: "quiet" }, unfenced(endpoint.message)) : null,
    endpoint.error
      ? el("pre", { class: "words error", tabindex: "0", "aria-label": "Error" }, unfenced(endpoint.error))
      : null,
    el(
      "dl",
      { class: "facts" },
      ...told.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, String(value)))),
    ),
  );
}
