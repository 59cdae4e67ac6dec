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
 * A plan as a person reads it: what it costs, what it opens and interrupts, and each setting before and after.
 *
 * @param {import("../types.js").Plan} plan
 * @param {string} backend
 * @param {number | undefined} costNow USD per hour
 */
export function planText(plan, backend, costNow) {
  const unbilled = UNBILLED[/** @type {keyof typeof UNBILLED} */ (backend)] ?? "";
  return el(
    "section",
    { "aria-label": "Plan", class: "plan" },
    el("p", { class: "price" }, priceOf(plan, costNow), unbilled),
    el("p", {}, EFFECTS[/** @type {keyof typeof EFFECTS} */ (plan.effect)] ?? ""),
    plan.exposes?.length ? el("p", { class: "warning" }, `It opens to others: ${plan.exposes.join(", ")}.`) : null,
    plan.interrupts ? el("p", { class: "warning" }, plan.interrupts) : null,
    ...(plan.warnings ?? []).map((warning) => el("p", { class: "warning" }, warning)),
    settingsOf(plan),
  );
}

/** @param {import("../types.js").Plan} plan @param {number | undefined} costNow */
function priceOf(plan, costNow) {
  const { per_hour_at_min_usd: least, per_hour_at_max_usd: most, per_month_at_max_usd: month } = plan;
  const before = costNow === undefined ? "" : `Now ${money(costNow)}. `;
  if (most === undefined) return `${before}Its price is not published.`;
  const range = least === most ? money(most) : `${money(least)} to ${money(most)}`;
  return `${before}After it: ${range}${month ? `, $${month.toFixed(0)} a month at most` : ""}.`;
}

/** @param {import("../types.js").Plan} plan */
function settingsOf(plan) {
  const changes = plan.changes?.length ? plan.changes : flat(plan.payload ?? {});
  if (!changes.length) return null;
  return el(
    "table",
    { class: "difference" },
    el("caption", {}, "Settings"),
    el("thead", {}, el("tr", {}, ...["Setting", "Before", "After"].map((title) => el("th", { scope: "col" }, title)))),
    el(
      "tbody",
      {},
      ...changes.map(({ setting, before, after }) =>
        el("tr", {}, el("th", { scope: "row" }, setting), el("td", {}, valueText(before, "del")), el("td", {}, valueText(after, "ins"))),
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
