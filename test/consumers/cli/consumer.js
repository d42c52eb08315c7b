import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { delimiter, dirname } from "node:path";
import { attach, guard, origin } from "@firmshake/node";
import { WebSocketServer } from "ws";

/** As a user types it, on the Node that runs this. */
const npx = (...args) =>
  new Promise((resolve) => {
    const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
    const env = { ...process.env, PATH, NO_COLOR: "1" };
    const command = ["--no-install", "firmshake", ...args];
    const child = execFile("npx", command, { env }, (_error, out, err) =>
      resolve({ code: child.exitCode, out, err }),
    );
  });

async function serve(isGated) {
  const server = createServer();
  if (isGated) attach(server, guard(origin(["https://app.example.com"])));
  new WebSocketServer({ server }).on("connection", (socket) => socket.on("error", () => {}));
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, url: `ws://127.0.0.1:${server.address().port}/chat` };
}

const version = await npx("--version");
assert.match(version.out, /^\d+\.\d+\.\d+\n$/, version.err);

for (const [isGated, code, verdict] of [
  [false, 1, /^✖ weak .+\n1 weakness \(1 critical\)\./],
  [true, 0, /^✔ clean .+\nNo weakness found\./],
]) {
  const { server, url } = await serve(isGated);
  const flags = ["--origin", "https://app.example.com", "--only", "WS-ORIGIN-1"];
  const audit = await npx("audit", url, ...flags);
  assert.equal(audit.code, code, `${audit.out}${audit.err}`);
  assert.match(audit.out, verdict);
  server.close();
  server.closeAllConnections();
}
