/** Where a plan's token is that no model reads. */
export const PLAN_META = "io.github.inference-endpoints-mcp/plan_token";

/** A tool that refused or failed, with the server's words. */
export class CallFailed extends Error {}

/**
 * The data of an answer. Throws `CallFailed` with its text where it is an error.
 *
 * @param {any} result of `tools/call`
 * @returns {any}
 */
export function dataOf(result) {
  if (result?.isError) throw new CallFailed(textOf(result));
  if (result?.structuredContent) return result.structuredContent;
  return withoutTables(JSON.parse(textOf(result) || "{}"));
}

/**
 * The text of an answer has lists as tables. This gives the rows that the structured content has.
 *
 * @param {any} data
 * @returns {any}
 */
function withoutTables(data) {
  if (Array.isArray(data)) return data.map(withoutTables);
  if (data === null || typeof data !== "object") return data;
  if (Array.isArray(data.columns) && Array.isArray(data.rows)) {
    return data.rows.map((/** @type {any[]} */ row) => {
      const cells = row.map((cell, at) => [data.columns[at], cell]).filter(([, cell]) => cell !== null);
      return withoutTables({ ...data.in_all_rows, ...Object.fromEntries(cells) });
    });
  }
  const entries = Object.entries(data);
  return Object.fromEntries(entries.map(([key, value]) => [key, key === "arguments" ? value : withoutTables(value)]));
}

/** @param {any} result */
function textOf(result) {
  const blocks = result?.content ?? [];
  return blocks
    .filter((/** @type {any} */ block) => block.type === "text")
    .map((/** @type {any} */ block) => block.text)
    .join("\n");
}

/** The text between the marks that tell a model whose words they are. A person sees where it stands. @param {string} text */
export function unfenced(text) {
  return text.replace(/<\/?untrusted-[0-9a-f]{12}(?: source="[^"<>]*")?>\n?/g, "").replace(/\n$/, "");
}

/** What to show of an error. @param {unknown} error */
export function reasonOf(error) {
  const text = error instanceof Error ? error.message : String(error);
  return unfenced(text.split("\n\n")[0] ?? "").replace(/^[A-Z_]+: /, "");
}
