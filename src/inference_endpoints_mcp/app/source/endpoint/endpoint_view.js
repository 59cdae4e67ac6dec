import { button, el, fill, refill } from "../dom.js";
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
    refill(this.facts, endpoint, () => [factsOf(endpoint)]);
    const { change } = this;
    const { state, min_replica, max_replica, scale_to_zero_timeout } = endpoint;
    const shown = [state, min_replica, max_replica, scale_to_zero_timeout];
    if (change) refill(this.actions, shown, () => actionsOf(endpoint, change));
    document.title = `${endpoint.endpoint_name} · ${words(endpoint.state ?? "")}`;
  }
}
