// The TypeScript SDK before version 2, which most hosts embed.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { follow, given, person } from "./job.mjs";

const asking = given.person_types ? { capabilities: { elicitation: {} } } : {};
const client = new Client({ name: "a-host", version: "1" }, asking);
if (given.person_types) {
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => person(params.requestedSchema));
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
