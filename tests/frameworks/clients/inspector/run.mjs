// The MCP Inspector's command line: a process, and so a session, for each call.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { follow, given } from "./job.mjs";

const program = fileURLToPath(new URL("node_modules/.bin/mcp-inspector", import.meta.url));
const server = given.url ? [given.url] : [];
const command = given.url ? [] : ["--", given.command, ...given.args];

const inspect = (...options) =>
  new Promise((resolve, reject) => {
    const all = [program, "--cli", ...server, "--format", "json", ...options, ...command];
    execFile(process.execPath, all, { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      // 5: the tool's answer is an error, which is printed all the same.
      if (error && error.code !== 5) reject(new Error(`${error.code}\n${stdout}\n${stderr}`));
      else resolve(JSON.parse(stdout).result);
    });
  });

// --strict ends with 6 if a schema would not do for some model.
const { tools } = await inspect("--method", "tools/list", "--strict");
await follow(tools.map((tool) => tool.name), async (name, args) => {
  const given = ["--tool-name", name, "--tool-args-json", JSON.stringify(args)];
  const answer = await inspect("--method", "tools/call", ...given);
  return answer.content[0].text;
});
