import { announce, button, el, fill, refill } from "../dom.js";
import { idleTime, money, verbOf, words } from "../format.js";
import { VirtualGrid } from "./endpoint_grid.js";

const MOST_AT_ONCE = 100; // as the tools' argument `names`
const CHANGES_OF_ALL = ["pause_endpoint", "scale_endpoint_to_zero", "resume_endpoint"];

/**
 * All endpoints: what they cost together, a grid of them, and what could be saved.
 *
 * @typedef {import("../types.js").FleetRow} FleetRow
 */
export class FleetView {
  /**
   * @param {(namespace: string, name: string) => void} open
   * @param {((change: import("../types.js").Change) => void) | null} change null where nothing can be changed
   */
  constructor(open, change) {
    this.change = change;
    /** @type {FleetRow[]} */
    this.rows = [];
    this.refused = "";
    this.summary = el("p", { class: "summary" });
    this.note = el("p", { class: "quiet" });
    this.search = el("input", {
      type: "search",
      placeholder: "Name or model",
      "aria-label": "Search",
      oninput: () => this.filter(),
    });
    this.state = el("select", { "aria-label": "State", onchange: () => this.filter() });
    this.together = el("div", { class: "buttons", role: "group", "aria-label": "Changes of all shown" });
    this.savings = el("section", { "aria-label": "Savings", hidden: true });
    this.grid = new VirtualGrid("Endpoints", COLUMNS, keyOf, (row) => open(row.namespace, row.endpoint_name));
    this.element = el(
      "section",
      { "aria-labelledby": "fleet-title" },
      el("h1", { id: "fleet-title" }, "Endpoints"),
      this.summary,
      el("div", { class: "filters" }, this.search, this.state),
      this.grid.element,
      this.note,
      this.together,
      this.savings,
    );
  }

  /** @param {any} fleet */
  show(fleet) {
    this.rows = fleet.endpoints;
    this.total = fleet.total ?? this.rows.length;
    const unbilled = this.rows.some((row) => row.backend !== "huggingface")
      ? " Nothing is billed on this machine."
      : "";
    const most =
      fleet.cost_at_most_per_hour_usd === undefined ? "" : `, ${money(fleet.cost_at_most_per_hour_usd)} at most`;
    fill(
      this.summary,
      `${this.total} endpoint${this.total === 1 ? "" : "s"}: ${money(fleet.cost_now_per_hour_usd)} now${most}.${unbilled}`,
    );
    const states = [...new Set(this.rows.map((row) => row.state))].sort();
    const chosen = states.includes(this.state.value) ? this.state.value : "";
    refill(this.state, states, () => [
      el("option", { value: "" }, "Any state"),
      ...states.map((state) => el("option", { value: state }, words(state))),
    ]);
    this.state.value = chosen;
    const refused = (fleet.refused ?? []).map((/** @type {any} */ one) => `${one.namespace} (${one.code})`);
    this.refused = refused.length ? ` Not covered: ${refused.join(", ")}.` : "";
    this.showSavings(fleet.savings ?? []);
    this.filter();
  }

  filter() {
    const sought = this.search.value.toLowerCase();
    const state = this.state.value;
    const found = this.rows.filter(
      (row) =>
        (!state || row.state === state) &&
        `${row.namespace}/${row.endpoint_name} ${row.repository}`.toLowerCase().includes(sought),
    );
    this.grid.show(found);
    const missing = (this.total ?? 0) - this.rows.length;
    const more = missing > 0 ? ` ${missing} more are not in this answer.` : "";
    const none = "There is no endpoint yet. Ask your assistant to deploy a model.";
    fill(this.note, this.rows.length ? `${found.length} shown.${more}` : none, this.refused);
    const chosen = sought || state ? found : [];
    const { change } = this;
    refill(this.together, chosen.map(keyOf), () => (change ? changesOfAll(chosen, change) : []));
    if (sought || state) announce(`${found.length} endpoints match.`);
  }

  /** @param {any[]} savings */
  showSavings(savings) {
    this.savings.hidden = savings.length === 0;
    const { change } = this;
    refill(this.savings, savings, () => [
      el("h2", {}, "What could be saved"),
      el("ul", {}, ...savings.map((saving) => savingItem(saving, change))),
    ]);
  }
}

/** @param {any} saving @param {((change: import("../types.js").Change) => void) | null} change */
function savingItem({ endpoint_name, saves_usd, per, why, call }, change) {
  const verb = verbOf(call.tool);
  const made = { title: `${verb} ${endpoint_name}`, verb: "Go on", tool: call.tool, given: call.arguments };
  return el(
    "li",
    {},
    el("b", {}, endpoint_name),
    ` could save ${money(saves_usd).replace("/h", "")} per ${per}: ${why}. `,
    change ? button(`${verb}…`, () => change(made)) : null,
  );
}

/**
 * Buttons for a change of all endpoints that a filter leaves: one plan, and one approval.
 *
 * @param {FleetRow[]} rows
 * @param {(change: import("../types.js").Change) => void} change
 */
function changesOfAll(rows, change) {
  if (rows.length < 2 || rows.length > MOST_AT_ONCE) return [];
  const given = { names: rows.map(keyOf) };
  return CHANGES_OF_ALL.map((tool) => {
    const verb = verbOf(tool);
    const title = `${verb} ${rows.length} endpoints`;
    return button(`${title}…`, () => change({ title, verb, tool, given }));
  });
}

/** @param {FleetRow} row */
function keyOf(row) {
  return `${row.namespace}/${row.endpoint_name}`;
}

/** A state as a coloured word. @param {string} state */
export function stateBadge(state) {
  return el("span", { class: "state", "data-state": state }, words(state));
}

/** @type {{title: string, cells: (row: FleetRow) => Node | string, sort?: (row: FleetRow) => string | number}[]} */
const COLUMNS = [
  {
    title: "Endpoint",
    cells: (row) =>
      el(
        "span",
        { class: "named" },
        el("b", {}, row.endpoint_name),
        el("small", {}, `${row.repository} · ${row.namespace}`),
      ),
    sort: (row) => row.endpoint_name,
  },
  { title: "State", cells: (row) => stateBadge(row.state), sort: (row) => row.state },
  {
    title: "Replicas",
    cells: (row) => `${row.ready_replicas} of ${row.target_replicas}`,
    sort: (row) => row.target_replicas,
  },
  { title: "Hardware", cells: (row) => row.hardware, sort: (row) => row.hardware },
  { title: "Now", cells: (row) => money(row.cost_now_per_hour_usd), sort: (row) => row.cost_now_per_hour_usd ?? -1 },
  {
    title: "At most",
    cells: (row) => money(row.cost_at_most_per_hour_usd),
    sort: (row) => row.cost_at_most_per_hour_usd ?? -1,
  },
  { title: "Idle", cells: (row) => idleTime(row.idle_minutes), sort: (row) => row.idle_minutes ?? -1 },
];
