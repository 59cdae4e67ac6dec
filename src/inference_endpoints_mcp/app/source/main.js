import { dataOf, reasonOf } from "./answers.js";
import { approvalFor, ChangeDialog } from "./change/change_dialog.js";
import { button, el, fill } from "./dom.js";
import { EndpointView } from "./endpoint/endpoint_view.js";
import { verbOf } from "./format.js";
import { FleetView } from "./fleet/fleet_view.js";
import { BrowserHost } from "./host/browser_host.js";
import { MessageHost } from "./host/message_host.js";

const REFRESH_S = 10;
const ENDPOINTS_PER_S = 50; // A large fleet is read less often.
const REFRESH_SOON_S = 3;
const REFRESHES_AFTER_CHANGE = 20;
const SETTLED = new Set(["running", "paused", "scaledToZero", "failed", "updateFailed"]);

/** The page: which view is shown, and when it is read again. */
class Page {
  /** @param {import("./types.js").Host} host */
  constructor(host) {
    this.host = host;
    this.main = /** @type {HTMLElement} */ (document.getElementById("main"));
    this.error = el("p", { role: "alert", class: "warning", hidden: true });
    fill(
      /** @type {Element} */ (document.getElementById("top")),
      el("span", { class: "brand" }, "Inference Endpoints"),
      host.enlarge && button("Full screen", host.enlarge),
      button("Refresh", () => this.refresh()),
      this.error,
    );
    /** @type {((change: import("./types.js").Change) => void) | null} */
    this.change = host.canCall
      ? (change) => void new ChangeDialog(host, (tool) => this.watchChange(tool)).open(change)
      : null;
    this.soon = 0;
    /** @type {FleetView | undefined} */
    this.fleet = undefined;
    document.addEventListener("visibilitychange", () => this.refresh());
    window.addEventListener("popstate", (event) => this.go(event.state));
  }

  /** @param {{namespace: string, name: string} | null} route of an endpoint; null for all */
  navigate(route) {
    if (this.host.refreshes) history.pushState(route, "");
    this.go(route);
  }

  /** @param {{namespace: string, name: string} | null} route */
  go(route) {
    const returns = this.route && !route;
    this.route = route;
    this.showRoute();
    if (returns) this.fleet?.grid.element.focus();
    else this.main.focus();
    this.refresh();
  }

  showRoute() {
    const { route } = this;
    document.title = "Inference Endpoints";
    if (route) {
      this.view = new EndpointView(
        route.name,
        () => this.navigate(null),
        () => this.refresh(),
        this.change,
      );
    } else {
      this.fleet ??= new FleetView((namespace, name) => this.navigate({ namespace, name }), this.change);
      this.view = this.fleet;
    }
    fill(this.main, this.view.element);
  }

  /** Shows the answer of the call of a model that this page stands beside. @param {any} result */
  showResult(result) {
    let answer;
    try {
      answer = dataOf(result);
    } catch (error) {
      this.fail(error);
      return;
    }
    const isGone = this.host.toolName === "delete_endpoint" && answer.changed;
    const isOne = answer.endpoint_name && !isGone;
    this.route = isOne ? { namespace: answer.namespace, name: answer.endpoint_name } : null;
    this.showRoute();
    if (this.view instanceof EndpointView) {
      if (answer.state || answer.plan) this.view.showEndpoint(answer);
      if (!this.host.canCall) this.view.showOnlyFacts();
    } else if (Array.isArray(answer.endpoints) && answer.total !== undefined) {
      this.view?.show(rowsOf(answer));
    }
    this.offerApproval(result, answer);
    const isPlannedAnew = answer.plan && isOne && !answer.state;
    if (!isPlannedAnew) this.refresh();
  }

  /** @param {any} result @param {any} answer */
  offerApproval(result, answer) {
    const approval = approvalFor(result, answer);
    const again = answer.next?.find((/** @type {any} */ call) => call.arguments?.plan_token);
    const tool = again?.tool ?? this.host.toolName;
    if (!approval || !tool || !this.host.canCall) return;
    const given = { ...(again?.arguments ?? this.host.toolArguments) };
    delete given.plan_token;
    const subject = answer.endpoint_name ?? `${answer.endpoints?.length ?? 0} endpoints`;
    const title = `${verbOf(tool)} ${subject}`;
    const change = { title, verb: "Approve", tool, given };
    new ChangeDialog(this.host, (tool) => this.watchChange(tool)).openPlanned(change, answer, approval);
  }

  /** Something was changed: look again soon, and at all endpoints if it was deleted. @param {string} tool */
  watchChange(tool) {
    this.soon = REFRESHES_AFTER_CHANGE;
    if (tool === "delete_endpoint" && this.route) this.navigate(null);
    else this.refresh();
  }

  /** Reads what is shown, and again after a while as long as anybody looks. */
  async refresh() {
    clearTimeout(this.timer);
    if (!this.host.canCall || document.visibilityState === "hidden") return;
    const view = this.view;
    try {
      const settled = view instanceof EndpointView ? await this.readEndpoint(view) : await this.readFleet();
      this.error.hidden = true;
      if (view === this.view) this.schedule(settled);
    } catch (error) {
      this.fail(error);
      if (view === this.view) this.schedule(true);
    }
  }

  /** @param {boolean} settled */
  schedule(settled) {
    this.soon = Math.max(0, this.soon - 1);
    if (!this.host.refreshes && (settled || !this.soon)) return;
    clearTimeout(this.timer);
    const atLeast = this.view === this.fleet ? (this.fleet?.rows.length ?? 0) / ENDPOINTS_PER_S : 0;
    const seconds = Math.max(settled ? REFRESH_S : REFRESH_SOON_S, atLeast);
    this.timer = setTimeout(() => this.refresh(), seconds * 1000);
  }

  async readFleet() {
    const fleet = dataOf(await this.host.callTool("get_fleet", {}));
    this.fleet?.show(fleet);
    return fleet.endpoints.every((/** @type {any} */ row) => SETTLED.has(row.state));
  }

  /** @param {EndpointView} view */
  async readEndpoint(view) {
    const { namespace, name } = /** @type {{namespace: string, name: string}} */ (this.route);
    const given = { endpoint_name: name, namespace };
    /** @param {string} tool @param {Record<string, any>} [more] */
    const read = async (tool, more = {}) => dataOf(await this.host.callTool(tool, { ...given, ...more }));
    const endpoint = await read("get_endpoint");
    view.showEndpoint(endpoint);
    await Promise.all([
      part(read("get_endpoint_graphs", { minutes: view.minutes }), (graphs) => {
        view.plots.show(graphs);
        view.timeline.showStages(graphs);
      }),
      part(read("get_endpoint_replicas"), ({ replicas }) => view.timeline.showReplicas(replicas)),
      part(
        read("get_audit_logs", { limit: 50 }),
        ({ entries }) => view.timeline.showEntries(entries),
        (reason) => view.timeline.tell(reason),
      ),
      part(
        read("get_endpoint_logs", { tail: 200, level: view.log.level }),
        (log) => view.log.show(log),
        (reason) => view.log.tell(reason),
      ),
    ]);
    return SETTLED.has(endpoint.state);
  }

  /** @param {unknown} error */
  fail(error) {
    const reason = reasonOf(error);
    const isTold = !this.error.hidden && this.error.textContent === reason;
    if (isTold) return; // else a screen reader would read it at every refresh
    this.error.hidden = false;
    fill(this.error, reason);
  }
}

/**
 * One part of a view: where it cannot be read, the others are still shown.
 *
 * @param {Promise<any>} reading
 * @param {(answer: any) => void} show
 * @param {(reason: string) => void} [tell]
 */
async function part(reading, show, tell = () => {}) {
  try {
    show(await reading);
  } catch (error) {
    tell(reasonOf(error));
  }
}

/** The rows of a list of endpoints or of costs, as those of the fleet. @param {any} answer */
function rowsOf(answer) {
  const endpoints = answer.endpoints.map((/** @type {any} */ row) => ({
    namespace: answer.namespace,
    repository: "",
    ready_replicas: row.replicas,
    target_replicas: row.replicas,
    ...row,
  }));
  return { ...answer, endpoints };
}

async function start() {
  const host = window.parent === window ? new BrowserHost() : new MessageHost();
  /** @type {any} */
  let early = null;
  host.onResult = (result) => {
    early = result;
  };
  const problem = await host.connect().then(
    () => null,
    (error) => error,
  );
  const page = new Page(host);
  if (problem) {
    page.fail(problem);
    return;
  }
  host.onResult = (result) => page.showResult(result);
  if (early) page.showResult(early);
  else if (host.refreshes) page.go(history.state);
}

start();
