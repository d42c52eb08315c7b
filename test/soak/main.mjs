/**
 * Holds thousands of connections on one guarded server, talks over them, renews them, attacks the server meanwhile, drains it, and looks at
 * what is left. Ends with 1 where a message was lost, a connection of an attacker stayed, or memory did not come back.
 *
 *     npm run soak                          10,000 connections, two minutes
 *     npm run soak -- --connections 2000 --seconds 30
 *
 * Two sockets for each connection are on this machine: see `ulimit -n`.
 */

import { parseArgs } from "node:util";
import { startChild } from "../bench/child.mjs";
import { makeKeys, makeToken } from "../bench/requests.mjs";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    seconds: { type: "string", default: "120" },
  },
});
const connections = Number(values.connections);
const seconds = Number(values.seconds);

const keys = makeKeys();
const tokensOf = (count) => Array.from({ length: count }, () => makeToken(keys, "HS256"));
const server = startChild(new URL("server-process.mjs", import.meta.url), undefined, [
  "--expose-gc",
]);
const clients = startChild(new URL("client-process.mjs", import.meta.url));

const { port } = await server.ask("start", { secret: keys.secret });
await clients.ask("prepare", {
  port,
  tokens: tokensOf(1_000),
  forged: makeToken(keys, "HS256", true),
});

say("warming up");
for (let round = 0; round < 3; round++) {
  await clients.ask("open", { count: Math.min(1_000, connections) });
  await clients.ask("talk", {});
  await clients.ask("close", { count: connections });
  await server.ask("idle");
}
const before = await server.ask("memory");

say(`opening ${connections} connections`);
await clients.ask("open", { count: connections });
const held = await server.ask("memory");

const endsAt = performance.now() + seconds * 1_000;
for (let second = 1; performance.now() < endsAt; second++) {
  const startedAt = performance.now();
  await clients.ask("attack", {});
  await clients.ask("talk", {});
  await clients.ask("close", { count: Math.ceil(connections / 100) });
  await clients.ask("open", { count: Math.ceil(connections / 100) });
  const { open } = await server.ask("count");
  say(
    `${open} open after ${second} rounds, ${Math.ceil((endsAt - performance.now()) / 1_000)} s to go`,
  );
  await new Promise((resolve) =>
    setTimeout(resolve, Math.max(0, 1_000 - (performance.now() - startedAt))),
  );
}

say("draining");
const drained = await server.ask("drain");
const told = await clients.ask("report", {});
await server.ask("idle");
const after = await server.ask("memory");
await Promise.all([clients.stop(), server.stop()]);

const perConnection = Math.round((held.heapUsed - before.heapUsed) / connections);
const left = after.heapUsed - before.heapUsed;
/** What two looks at an idle server may differ by. */
const noise = 2 * 1024 * 1024;
const checks = [
  ["messages", `${told.delivered} of ${told.sent} came back`, told.delivered === told.sent],
  ["legitimate connections", `${told.opened} opened, ${told.lost} lost`, told.lost === 0],
  [
    "attacks",
    `${told.attacks} made, ${told.survived} connections of attackers left open`,
    told.survived === 0,
  ],
  [
    "drain",
    `${drained.closed} closed, of them ${told.closedByDrain} with a close frame of the drain`,
    told.closedByDrain >= drained.closed - drained.ended,
  ],
  ["heap of a connection", `${perConnection} bytes, the library's own included`, true],
  ["heap left behind", `${Math.round(left / 1024)} KiB (noise ${noise / 1024} KiB)`, left <= noise],
  [
    "descriptors left behind",
    `${after.descriptors - before.descriptors}`,
    after.descriptors <= before.descriptors,
  ],
];
say("");
for (const [what, found, isGood] of checks)
  console.log(`${isGood ? "ok  " : "BAD "} ${what}: ${found}`);
process.exitCode = checks.every(([, , isGood]) => isGood) ? 0 : 1;

function say(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text !== "") process.stderr.write(`${text}\n`);
}
