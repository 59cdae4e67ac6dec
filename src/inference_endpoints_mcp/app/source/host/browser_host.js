const REVISION = "2026-07-28";
const KEY = "key";
const CLIENT = {
  "io.modelcontextprotocol/protocolVersion": REVISION,
  "io.modelcontextprotocol/clientInfo": { name: "inference-endpoints-dashboard", version: VERSION },
  "io.modelcontextprotocol/clientCapabilities": {
    elicitation: { form: {} },
    extensions: { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } },
  },
};

/**
 * No host: this page is in a browser, and is the server's client itself, over streamable HTTP. It asks the person in
 * front of it what the server asks.
 *
 * The key is in the storage of this tab, and sent as a header. A cookie would go to every port of this machine.
 */
export class BrowserHost {
  constructor() {
    this.refreshes = true;
    this.canCall = true;
    this.toolName = "";
    this.toolArguments = {};
    this.enlarge = null;
    this.nextId = 1;
    /** @type {(result: any) => void} */
    this.onResult = () => {};
  }

  /** Exchanges the code of a link that is good once for the key. */
  async connect() {
    const code = new URLSearchParams(location.hash.slice(1)).get("code");
    if (code) {
      history.replaceState(null, "", location.pathname);
      const answer = await reach("/session", { method: "POST", headers: { Authorization: `Bearer ${code}` } });
      if (!answer.ok) throw new Error("This link was used before. The terminal shows a new one.");
      sessionStorage.setItem(KEY, (await answer.json()).key);
    }
    if (!sessionStorage.getItem(KEY)) throw new Error("Open the link that the terminal shows.");
  }

  /**
   * @param {string} name
   * @param {Record<string, any>} given
   * @param {import("../types.js").CallOptions} [options]
   */
  async callTool(name, given, { meta, ask } = {}) {
    let answered = {};
    for (;;) {
      const result = await this.request("tools/call", name, { name, arguments: given, ...answered }, meta);
      if (result.resultType !== "input_required") return result;
      if (!ask) throw new Error("The server asks a question, and nobody can answer it here.");
      answered = {
        inputResponses: await answerAll(result.inputRequests ?? {}, ask),
        requestState: result.requestState,
      };
    }
  }

  tellModel() {} // there is none

  /**
   * @param {string} method
   * @param {string} name
   * @param {Record<string, any>} params
   * @param {Record<string, any>} [meta]
   * @returns {Promise<any>}
   */
  async request(method, name, params, meta = {}) {
    const id = this.nextId++;
    const answer = await reach("/mcp", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${sessionStorage.getItem(KEY)}`,
        "Content-Type": "application/json",
        Accept: "application/json, text/event-stream",
        "MCP-Protocol-Version": REVISION,
        "Mcp-Method": method,
        "Mcp-Name": name,
      },
      body: JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: { ...meta, ...CLIENT } } }),
    });
    if (answer.status === 401)
      throw new Error("The dashboard was started anew. Open the link that the terminal shows.");
    const message = messageWithId(await answer.text(), id);
    if (message?.result) return message.result;
    throw new Error(message?.error?.message ?? `The server answered ${answer.status}.`);
  }
}

/**
 * The browser's own words for a server that does not answer help nobody.
 *
 * @param {string} path
 * @param {RequestInit} request
 */
async function reach(path, request) {
  try {
    return await fetch(path, request);
  } catch {
    throw new Error("The dashboard does not answer. It may have ended: see the terminal.");
  }
}

/**
 * The message with this id, from one JSON document or from a stream of events.
 *
 * @param {string} text
 * @param {number} id
 */
function messageWithId(text, id) {
  const lines = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(5));
  for (const json of lines.length ? lines : [text]) {
    const message = json.trim() ? JSON.parse(json) : null;
    if (message?.id === id) return message;
  }
  return null;
}

/** @param {Record<string, any>} requests @param {import("../types.js").Ask} ask */
async function answerAll(requests, ask) {
  /** @type {Record<string, any>} */
  const answers = {};
  for (const [key, request] of Object.entries(requests)) {
    answers[key] = await ask(request.params.message, request.params.requestedSchema);
  }
  return answers;
}
