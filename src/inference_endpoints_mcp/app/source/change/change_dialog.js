import { dataOf, PLAN_META, reasonOf } from "../answers.js";
import { announce, button, el, fill } from "../dom.js";
import { outcomesOf, planText } from "./plan_text.js";
import { askIn } from "./question_form.js";

/**
 * One change in a dialog of its own: first its plan, then, if the person goes on, the call, with whatever approval the server wants
 * for it. What is sent is the call of a tool, as a model makes it, so that no button can do more than a model.
 */
export class ChangeDialog {
  /**
   * @param {import("../types.js").Host} host
   * @param {(tool: string) => void} changed is called after something was changed
   */
  constructor(host, changed) {
    this.host = host;
    this.changed = changed;
    this.heading = el("h2", { id: "change-title" });
    this.plan = el("div");
    this.step = el("div", { class: "step" });
    this.element = el(
      "dialog",
      { "aria-labelledby": "change-title", onclose: () => this.end() },
      this.heading,
      this.plan,
      this.step,
    );
    this.decline = () => {};
    document.body.append(this.element);
    this.element.showModal();
  }

  /** Shows the plan of a change. @param {import("../types.js").Change} change */
  async open(change) {
    this.begin(change);
    this.say("Reading the plan…");
    await this.guarded(async () => {
      const planned = dataOf(await this.host.callTool(change.tool, { ...change.given, dry_run: true }));
      if (!planned.plan) return this.finish(planned.now);
      this.showPlan(planned);
      this.offer(planned.now, change.verb, () => this.carryOut(change, {}));
    });
  }

  /**
   * Shows a plan that a call of the model has returned, for approval.
   *
   * @param {import("../types.js").Change} change
   * @param {any} answer
   * @param {Record<string, any>} approval
   */
  openPlanned(change, answer, approval) {
    this.begin(change);
    this.showPlan(answer);
    this.offer(answer.now, "Approve", () => this.carryOut(change, approval));
  }

  /** @param {import("../types.js").Change} change @param {{plan_token?: string, meta?: Record<string, any>}} approval */
  async carryOut(change, { plan_token, meta }) {
    this.say("Waiting for the server…");
    await this.guarded(async () => {
      const given = { ...change.given, ...(plan_token ? { plan_token } : {}) };
      const ask = (/** @type {string} */ question, /** @type {any} */ schema) => this.ask(question, schema);
      const result = await this.host.callTool(change.tool, given, { meta, ask });
      const answer = dataOf(result);
      const approval = approvalFor(result, answer);
      if (approval) {
        this.showPlan(answer);
        this.offer(answer.now, "Approve", () => this.carryOut(change, approval));
        return;
      }
      if (answer.endpoints) fill(this.plan, outcomesOf(answer.endpoints));
      if (answer.changed) {
        this.host.tellModel(`The user did this in the app. ${change.title}: ${answer.now}`);
        this.changed(change.tool);
      }
      this.finish(answer.now);
    });
  }

  /** @param {string} question @param {any} schema */
  ask(question, schema) {
    announce("The server asks for your approval.");
    return Promise.race([
      askIn(this.step, question, schema),
      new Promise((resolve) => {
        this.decline = () => resolve({ action: "cancel" });
      }),
    ]);
  }

  /** @param {import("../types.js").Change} change */
  begin({ title }) {
    fill(this.heading, title);
  }

  /** Whoever closes the dialog has not approved. */
  end() {
    this.decline();
    this.element.remove();
  }

  /** @param {any} answer */
  showPlan(answer) {
    fill(this.plan, planText(answer));
  }

  /** @param {string} text @param {string} verb @param {() => void} goOn */
  offer(text, verb, goOn) {
    const strong = button(verb, goOn, { class: "strong" });
    fill(this.step, el("p", {}, text), el("div", { class: "buttons" }, this.closeButton("Cancel"), strong));
    announce(text);
    strong.focus();
  }

  /** @param {string} text */
  say(text) {
    fill(this.step, el("p", {}, text), el("div", { class: "buttons" }, this.closeButton("Close")));
  }

  /** @param {string} text */
  finish(text) {
    this.say(text);
    announce(text);
    this.step.querySelector("button")?.focus();
  }

  /** @param {string} label */
  closeButton(label) {
    return button(label, () => this.element.close());
  }

  /** Shows why something failed, in the dialog. @param {() => Promise<void>} work */
  async guarded(work) {
    try {
      await work();
    } catch (error) {
      this.finish(reasonOf(error));
    }
  }
}

/**
 * The approval that an answer asks for: the token of a plan, where a model reads it or where only a host does.
 *
 * @param {any} result
 * @param {any} answer
 */
export function approvalFor(result, answer) {
  if (!answer.plan || answer.changed) return null;
  if (answer.plan_token) return { plan_token: answer.plan_token };
  const token = result._meta?.[PLAN_META];
  return token ? { meta: { [PLAN_META]: token } } : null;
}
