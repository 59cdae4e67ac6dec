import { applyHostStyle } from "../theme.js";

const PROTOCOL = "2026-01-26";
const TALLEST = 760; // A taller page scrolls by itself, so that a dialog in its middle is in sight.

/**
 * A host of MCP Apps around this page, which passes calls on to the server: JSON-RPC by postMessage.
 *
 * @typedef {import("../types.js").Host} Host
 */
export class MessageHost {
  constructor() {
    this.refreshes = false;
    this.canCall = false;
    this.toolName = "";
    this.toolArguments = {};
    /** @type {(() => void) | null} */
    this.enlarge = null;
    this.informsModel = false;
    this.nextId = 1;
    /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    /** @type {(result: any) => void} */
    this.onResult = () => {};
    window.addEventListener("message", (event) => this.receive(event));
  }

  async connect() {
    const known = await this.request("ui/initialize", {
      protocolVersion: PROTOCOL,
      appInfo: { name: "inference-endpoints", version: VERSION },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
    });
    this.canCall = known.hostCapabilities?.serverTools !== undefined;
    this.informsModel = known.hostCapabilities?.updateModelContext !== undefined;
    if (known.hostContext?.availableDisplayModes?.includes("fullscreen")) {
      this.enlarge = () => this.offer("ui/request-display-mode", { mode: "fullscreen" });
    }
    this.adopt(known.hostContext ?? {});
    this.notify("ui/notifications/initialized", {});
    new ResizeObserver(() => this.reportSize()).observe(document.body);
  }

  /**
   * @param {string} name
   * @param {Record<string, any>} given
   * @param {import("../types.js").CallOptions} [options]
   */
  callTool(name, given, { meta } = {}) {
    return this.request("tools/call", { name, arguments: given, ...(meta ? { _meta: meta } : {}) });
  }

  /** @param {string} text */
  tellModel(text) {
    if (this.informsModel) this.offer("ui/update-model-context", { content: [{ type: "text", text }] });
  }

  /** @param {string} method @param {Record<string, any>} params @returns {Promise<any>} */
  request(method, params) {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.post({ id, method, params });
    });
  }

  /** Asks for what the host may refuse. @param {string} method @param {Record<string, any>} params */
  offer(method, params) {
    this.request(method, params).catch(() => {});
  }

  /** @param {string} method @param {Record<string, any>} params */
  notify(method, params) {
    this.post({ method, params });
  }

  /** @param {Record<string, any>} message */
  post(message) {
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  /** @param {MessageEvent} event */
  receive(event) {
    const message = event.data;
    if (event.source !== window.parent || message?.jsonrpc !== "2.0") return;
    if (message.method === undefined) this.settle(message);
    else if (message.id === undefined) this.hear(message.method, message.params ?? {});
    else this.answer(message);
  }

  /** @param {any} message */
  settle(message) {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) waiting?.reject(new Error(String(message.error.message ?? "The host refused the call.")));
    else waiting?.resolve(message.result ?? {});
  }

  /** @param {string} method @param {any} params */
  hear(method, params) {
    if (method === "ui/notifications/tool-input") this.toolArguments = params.arguments ?? {};
    else if (method === "ui/notifications/tool-result") this.onResult(params);
    else if (method === "ui/notifications/host-context-changed") this.adopt(params);
  }

  /** @param {any} message */
  answer(message) {
    const known = message.method === "ping" || message.method === "ui/resource-teardown";
    const outcome = known
      ? { result: {} }
      : { error: { code: -32601, message: "This page does not know this method." } };
    this.post({ id: message.id, ...outcome });
  }

  /** @param {any} context */
  adopt(context) {
    this.toolName = context.toolInfo?.tool?.name ?? this.toolName;
    applyHostStyle(context);
  }

  reportSize() {
    const { width, height } = document.body.getBoundingClientRect();
    this.notify("ui/notifications/size-changed", {
      width: Math.ceil(width),
      height: Math.min(Math.ceil(height), TALLEST),
    });
  }
}
