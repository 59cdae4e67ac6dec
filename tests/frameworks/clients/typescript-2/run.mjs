// The client of the TypeScript SDK, version 2.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { follow, given, person } from "./job.mjs";

const asking = given.person_types ? { capabilities: { elicitation: {} } } : {};
const client = new Client({ name: "a-host", version: "1" }, asking);
if (given.person_types) {
  client.setRequestHandler("elicitation/create", ({ params }) => person(params.requestedSchema));
}
await client.connect(
  given.url ? new StreamableHTTPClientTransport(new URL(given.url)) : new StdioClientTransport(given),
);
const { tools } = await client.listTools();
await follow(tools.map((tool) => tool.name), async (name, args) => {
  const answer = await client.callTool({ name, arguments: args });
  return answer.content[0].text;
});
await client.close();
