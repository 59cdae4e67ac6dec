import { el, fill, refill } from "../dom.js";
import { clockTime, measured } from "../format.js";
import { colourOf, onThemeChange } from "../theme.js";

/** Which series are in which plot, by the names of get_endpoint_graphs. */
const PLOTS = [
  { title: "Requests", metrics: ["response-status-code"] },
  { title: "Latency", metrics: ["response-elapsed"] },
  { title: "Time to first token", metrics: ["time to first token"] },
  { title: "Time between tokens", metrics: ["inter-token latency"] },
  { title: "Memory", metrics: ["memory", "gpu memory"] },
  { title: "Load", metrics: ["pending-request", "requests running", "requests waiting"] },
  { title: "Processors", metrics: ["cpu", "gpu"] },
  { title: "Caches", metrics: ["kv cache", "prefix cache"] },
];
const HEIGHT = 160;
const COLOURS = 6;
const ROWS = 12;

/** The plots of an endpoint. Each is told in words and as a table too, as a picture tells a screen reader nothing. */
export class Plots {
  constructor() {
    this.element = el("section", { "aria-label": "Metrics", class: "plots" });
    this.plots = PLOTS.map(({ title, metrics }) => new Plot(title, metrics));
    fill(this.element, ...this.plots.map((plot) => plot.element));
    onThemeChange(() => this.plots.forEach((plot) => plot.draw()));
    new ResizeObserver(() => this.plots.forEach((plot) => plot.fit())).observe(this.element);
  }

  /** @param {{series: import("../types.js").GraphSeries[], since: number, until: number}} graphs */
  show({ series, since, until }) {
    for (const plot of this.plots) {
      plot.show(
        series.filter((one) => plot.metrics.includes(one.metric)),
        since,
        until,
      );
    }
  }
}

class Plot {
  /** @param {string} title @param {string[]} metrics */
  constructor(title, metrics) {
    this.title = title;
    this.metrics = metrics;
    /** @type {import("../types.js").GraphSeries[]} */
    this.series = [];
    /** @type {[number, number]} */
    this.range = [0, 1];
    this.canvas = el("div", { class: "canvas", role: "img", "aria-label": title });
    this.words = el("figcaption");
    this.table = el("div");
    this.values = el("details", { ontoggle: () => this.showTable() }, el("summary", {}, "Values"), this.table);
    this.element = el("figure", { "aria-label": title }, el("h2", {}, title), this.canvas, this.words, this.values);
  }

  /** @param {import("../types.js").GraphSeries[]} series @param {number} since @param {number} until */
  show(series, since, until) {
    this.range = [since, until];
    this.series = series;
    this.canvas.hidden = series.length === 0;
    this.values.hidden = series.length === 0;
    refill(this.words, series, () => (series.length ? series.map(inWords) : ["Nothing was measured in this time."]));
    this.showTable();
    if (this.chart && this.labels === this.labelsNow()) this.chart.setData(aligned(series));
    else this.draw();
  }

  showTable() {
    if (this.values.open) refill(this.table, this.series, () => [valueTable(this.title, this.series)]);
  }

  labelsNow() {
    return this.series.map(labelOf).join("\n");
  }

  draw() {
    this.chart?.destroy();
    this.chart = null;
    this.labels = this.labelsNow();
    if (!this.series.length) return;
    const [text, line] = [colourOf("--quiet"), colourOf("--line")];
    const unit = this.series[0]?.unit;
    const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
    const times = {
      ...axis,
      values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => axisTime(tick, this.range)),
    };
    this.chart = new uPlot(
      {
        width: this.canvas.clientWidth || 320,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { range: () => this.range },
          y: {
            range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number} */ most) => [0, most * 1.1 || 1],
          },
        },
        axes: [
          times,
          {
            ...axis,
            size: 64,
            values: (/** @type {any} */ _, /** @type {number[]} */ ticks) => ticks.map((tick) => measured(tick, unit)),
          },
        ],
        series: [
          {},
          ...this.series.map((one, index) => ({
            label: labelOf(one),
            stroke: colourOf(`--plot-${index % COLOURS}`),
            width: 1.5,
            points: { show: one.at.length < 3 },
          })),
        ],
      },
      aligned(this.series),
      this.canvas,
    );
  }

  fit() {
    const width = this.canvas.clientWidth;
    if (this.chart && width && width !== this.chart.width) this.chart.setSize({ width, height: HEIGHT });
  }
}

/** @param {number} seconds @param {[number, number]} range */
function axisTime(seconds, [since, until]) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  return until - since > 172_800 ? date.toLocaleDateString([], { day: "numeric", month: "short" }) : time;
}

/** @param {import("../types.js").GraphSeries} series */
function labelOf({ metric, of }) {
  return of || metric;
}

/** A series in words, in the colour of its line. @param {import("../types.js").GraphSeries} series @param {number} index */
function inWords(series, index) {
  const { values, unit } = series;
  const last = /** @type {number} */ (values[values.length - 1]);
  const told = `${labelOf(series)}: now ${measured(last, unit)}, at most ${measured(Math.max(...values), unit)}`;
  return el("span", { "data-colour": index % COLOURS }, told);
}

/**
 * The series on one axis of time, as uPlot wants them.
 *
 * @param {import("../types.js").GraphSeries[]} series
 * @returns {[number[], ...(number | null)[][]]}
 */
function aligned(series) {
  const times = [...new Set(series.flatMap((one) => one.at))].sort((one, other) => one - other);
  const index = new Map(times.map((time, at) => [time, at]));
  return [
    times,
    ...series.map((one) => {
      const values = new Array(times.length).fill(null);
      one.at.forEach((time, at) => {
        values[/** @type {number} */ (index.get(time))] = one.values[at];
      });
      return values;
    }),
  ];
}

/** @param {number | null | undefined} value @param {string | undefined} unit */
function shownValue(value, unit) {
  return value === null || value === undefined ? "–" : measured(value, unit);
}

/** @param {string} title @param {import("../types.js").GraphSeries[]} series */
function valueTable(title, series) {
  const [times, ...columns] = aligned(series);
  const newest = times
    .map((/** @type {number} */ _, /** @type {number} */ at) => at)
    .slice(-ROWS)
    .reverse();
  return el(
    "table",
    {},
    el("caption", {}, `${title}, newest first`),
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        el("th", { scope: "col" }, "Time"),
        ...series.map((one) => el("th", { scope: "col" }, labelOf(one))),
      ),
    ),
    el(
      "tbody",
      {},
      ...newest.map((/** @type {number} */ at) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, clockTime(new Date((times[at] ?? 0) * 1000).toISOString())),
          ...columns.map((values, which) => el("td", {}, shownValue(values[at], series[which]?.unit))),
        ),
      ),
    ),
  );
}
