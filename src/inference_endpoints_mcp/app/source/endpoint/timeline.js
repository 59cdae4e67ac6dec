import { el, fill, refill } from "../dom.js";
import { clockTime, words } from "../format.js";

const SHOWN = 50;

/** The life of an endpoint: the stages of its replicas as bars, and what happened as a list. */
export class Timeline {
  constructor() {
    this.lanes = el("div", { class: "lanes" });
    this.events = el("ol", { class: "events" });
    this.note = el("p", { class: "quiet" });
    /** @type {any[]} */
    this.entries = [];
    /** @type {any[]} */
    this.replicas = [];
    this.element = el(
      "section",
      { "aria-labelledby": "timeline-title" },
      el("h2", { id: "timeline-title" }, "Timeline"),
      this.lanes,
      this.events,
      this.note,
    );
  }

  /** @param {any} graphs of get_endpoint_graphs */
  showStages({ since, until, replica_stages: stages }) {
    const byReplica = Map.groupBy(stages, (/** @type {any} */ stage) => stage.of ?? "replica");
    const lanes = [...byReplica].map(([replica, spans]) => lane(replica, spans, since, until));
    fill(this.lanes, ...lanes, lanes.length ? legend() : null);
  }

  /** @param {any[]} entries of get_audit_logs */
  showEntries(entries) {
    this.entries = entries;
    this.list();
  }

  /** @param {any[]} replicas of get_endpoint_replicas */
  showReplicas(replicas) {
    this.replicas = replicas;
    this.list();
  }

  /** @param {string} reason why the audit log is not known */
  tell(reason) {
    fill(this.note, reason);
  }

  list() {
    const happened = [...this.entries.map(entryEvent), ...this.replicas.flatMap(replicaEvents)];
    happened.sort((one, other) => other.at.localeCompare(one.at));
    const shown = happened.slice(0, SHOWN);
    refill(this.events, shown, () =>
      shown.map(({ at, what, detail }) =>
        el("li", {}, el("time", { datetime: at }, clockTime(at)), " ", el("b", {}, what), detail ? ` ${detail}` : null),
      ),
    );
  }
}

/** @param {any} entry */
function entryEvent({ at, action, user, changes }) {
  const detail = [user ? `by ${user}` : "", changes ? `: ${changes.join(", ")}` : ""].join("");
  return { at, what: words(action), detail };
}

/** @param {any} replica */
function replicaEvents({ replica, started_at, stopped_at, exit_code }) {
  const ended = exit_code === undefined ? replica : `${replica}, exit code ${exit_code}`;
  return [
    ...(started_at ? [{ at: started_at, what: "replica started", detail: replica }] : []),
    ...(stopped_at ? [{ at: stopped_at, what: "replica stopped", detail: ended }] : []),
  ];
}

function legend() {
  const kinds = ["starting", "running", "stopped", "failed"];
  return el("p", { class: "legend" }, ...kinds.map((kind) => el("span", { "data-stage": kind }, kind)));
}

/**
 * @param {string} replica
 * @param {any[]} spans
 * @param {number} since seconds since the epoch
 * @param {number} until
 */
function lane(replica, spans, since, until) {
  const ordered = [...spans].sort((one, other) => one.since.localeCompare(other.since));
  const told = ordered.map((span) => `${span.stage} ${clockTime(span.since)} to ${clockTime(span.until)}`).join("; ");
  const bars = ordered.map((span) => {
    const share = (/** @type {string} */ at) =>
      Math.min(Math.max((Date.parse(at) / 1000 - since) / (until - since), 0), 1) * 100;
    const bar = el("span", { class: "stage", "data-stage": span.stage.toLowerCase(), title: span.stage });
    bar.style.left = `${share(span.since)}%`;
    bar.style.width = `${Math.max(share(span.until) - share(span.since), 0.4)}%`;
    return bar;
  });
  return el(
    "div",
    { class: "lane" },
    el("span", { class: "lane-name" }, replica),
    el("div", { class: "bars", role: "img", "aria-label": `Stages of ${replica}: ${told}` }, ...bars),
  );
}
