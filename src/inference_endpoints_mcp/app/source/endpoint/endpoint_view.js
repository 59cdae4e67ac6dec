import { button, el, fill } from "../dom.js";
import { words } from "../format.js";
import { stateBadge } from "../fleet/fleet_view.js";
import { actionsOf } from "./actions.js";
import { factsOf } from "./facts.js";
import { LogTail } from "./log_tail.js";
import { Plots } from "./plots.js";
import { Timeline } from "./timeline.js";

const WINDOWS = { 5: "5 minutes", 30: "30 minutes", 180: "3 hours", 1440: "1 day", 10080: "7 days" };

/** One endpoint: its facts, its life, its plots and its log. */
export class EndpointView {
  /**
   * @param {string} name
   * @param {() => void} back
   * @param {() => void} reload
   * @param {((change: import("../types.js").Change) => void) | null} change
   */
  constructor(name, back, reload, change) {
    this.change = change;
    this.shownActions = "";
    this.state = el("span");
    this.facts = el("div");
    this.actions = el("div", { class: "buttons", role: "group", "aria-label": "Changes" });
    const options = Object.entries(WINDOWS).map(([minutes, label]) =>
      el("option", { value: minutes }, `Last ${label}`),
    );
    this.window = el("select", { "aria-label": "Time", onchange: reload }, ...options);
    this.window.value = "30";
    this.timeline = new Timeline();
    this.plots = new Plots();
    this.log = new LogTail(reload);
    this.element = el(
      "article",
      { "aria-labelledby": "endpoint-title" },
      button("← All endpoints", back, { class: "back" }),
      el("h1", { id: "endpoint-title" }, name, " ", this.state),
      this.actions,
      this.facts,
      this.window,
      this.timeline.element,
      this.plots.element,
      this.log.element,
    );
  }

  get minutes() {
    return Number(this.window.value);
  }

  /** Where only one answer of a call is known, and nothing can be read. */
  showOnlyFacts() {
    for (const part of [this.window, this.timeline.element, this.plots.element, this.log.element]) part.hidden = true;
  }

  /** @param {any} endpoint */
  showEndpoint(endpoint) {
    fill(this.state, stateBadge(endpoint.state ?? "not yet created"));
    fill(this.facts, factsOf(endpoint));
    const key = `${endpoint.state} ${endpoint.min_replica} ${endpoint.max_replica} ${endpoint.scale_to_zero_timeout}`;
    if (this.change && key !== this.shownActions) {
      this.shownActions = key; // so that a refresh takes no focus away
      fill(this.actions, ...actionsOf(endpoint, this.change));
    }
    document.title = `${endpoint.endpoint_name} · ${words(endpoint.state ?? "")}`;
  }
}
