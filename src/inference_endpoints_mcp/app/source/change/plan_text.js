import { el } from "../dom.js";
import { money } from "../format.js";

const EFFECTS = {
  spends: "It may cost more than now.",
  disrupts: "It can interrupt calls.",
  destroys: "It cannot be undone.",
  exposes: "It opens something to others.",
};

const UNBILLED = { local: " It runs on this machine: nothing is billed.", simulated: " Simulated: nothing is billed." };

/**
 * A plan as a person reads it: what it costs, what it opens and interrupts, each setting before and after, and of a
 * change of several endpoints each of them.
 *
 * @param {import("../types.js").Planned} answer
 */
export function planText({ plan, backend, endpoints, chosen, model_facts }) {
  const unbilled = UNBILLED[/** @type {keyof typeof UNBILLED} */ (backend)] ?? "";
  return el(
    "section",
    { "aria-label": "Plan", class: "plan" },
    el("p", { class: "price" }, priceOf(plan), unbilled),
    el("p", {}, EFFECTS[/** @type {keyof typeof EFFECTS} */ (plan.effect)] ?? ""),
    plan.exposes?.length ? el("p", { class: "warning" }, `It opens to others: ${plan.exposes.join(", ")}.`) : null,
    plan.quota_left === undefined ? null : el("p", {}, `Accelerators left in the quota: ${plan.quota_left}.`),
    plan.interrupts ? el("p", { class: "warning" }, plan.interrupts) : null,
    ...(plan.warnings ?? []).map((warning) => el("p", { class: "warning" }, warning)),
    reasonsOf([...(chosen ?? []), ...(model_facts ?? [])]),
    settingsOf(plan),
    endpoints?.length ? outcomesOf(endpoints) : null,
  );
}

/** @param {import("../types.js").Plan} plan */
function priceOf(plan) {
  const {
    per_hour_now_usd: now,
    per_hour_after_usd: after,
    per_hour_at_most_usd: most,
    per_month_at_most_usd: month,
  } = plan;
  if (most === undefined) return `Now ${money(now)}. Its price afterwards is not published.`;
  return `Now ${money(now)}, afterwards ${money(after)}, at most ${money(most)}${month ? ` ($${month.toFixed(0)} a month)` : ""}.`;
}

/** @param {import("../types.js").Plan} plan */
function settingsOf(plan) {
  const changes = plan.changes?.length ? plan.changes : flat(plan.payload ?? {});
  if (!changes.length) return null;
  const rows = changes.map(({ setting, before, after }) => [
    setting,
    valueText(before, "del"),
    valueText(after, "ins"),
  ]);
  return table("Settings", ["Setting", "Before", "After"], rows);
}

/** What the server chose, and what it knows of the model. @param {string[]} reasons */
function reasonsOf(reasons) {
  return reasons.length ? el("ul", {}, ...reasons.map((reason) => el("li", {}, reason))) : null;
}

/** What happens, or has happened, to each of several. @param {import("../types.js").Outcome[]} endpoints */
export function outcomesOf(endpoints) {
  const rows = endpoints.map(({ endpoint_names, outcome, cost_now_usd, cost_after_usd, changes, why }) => [
    endpoint_names.join(", "),
    [outcome, ...(changes ?? []), why ?? ""].filter(Boolean).join(" · "),
    cost_now_usd === undefined && cost_after_usd === undefined
      ? "–"
      : `${money(cost_now_usd)} → ${money(cost_after_usd)}`,
  ]);
  return table("Endpoints", ["Endpoint", "What happens", "Price"], rows);
}

/** @param {string} caption @param {string[]} titles @param {(Node | string)[][]} rows whose first cell is their head */
function table(caption, titles, rows) {
  return el(
    "table",
    { class: "difference" },
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)))),
    el(
      "tbody",
      {},
      ...rows.map(([head, ...cells]) =>
        el("tr", {}, el("th", { scope: "row" }, head ?? ""), ...cells.map((cell) => el("td", {}, cell))),
      ),
    ),
  );
}

/** @param {any} value @param {string} tag */
function valueText(value, tag) {
  if (value === undefined || value === null) return "–";
  return el(tag, {}, typeof value === "string" ? value : JSON.stringify(value));
}

/**
 * @param {Record<string, any>} payload
 * @param {string} path
 * @returns {{setting: string, before?: any, after?: any}[]}
 */
function flat(payload, path = "") {
  return Object.entries(payload).flatMap(([name, value]) =>
    value && typeof value === "object" && !Array.isArray(value)
      ? flat(value, `${path}${name}.`)
      : [{ setting: path + name, after: value }],
  );
}
