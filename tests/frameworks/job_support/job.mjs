// What job.py is for Python, for the clients that run in Node.
import { readFileSync } from "node:fs";

export const given = JSON.parse(readFileSync(0, "utf8"));

let questions = 0;

export function person(schema) {
  questions += 1;
  if (questions === 1) return { action: "decline" };
  const fields = Object.keys(schema.properties);
  return { action: "accept", content: Object.fromEntries(fields.map((field) => [field, field === "name" ? given.person_types : true])) };
}

async function step(text, tools = []) {
  const body = JSON.stringify({ text, tools: tools.map((name) => ({ name })) });
  return (await fetch(`${given.model_url}/step`, { method: "POST", body })).json();
}

export async function follow(tools, call) {
  let following = await step("", tools);
  while (following.tool) following = await step(await call(following.tool, following.arguments));
}
