/**
 * Holds thousands of connections on one guarded server, talks over them, renews and revokes some, replaces others and attacks the server
 * meanwhile, drains it, and looks at what is left. Ends with 1 where one of its promises is not kept. For Linux.
 *
 *     npm run soak                          10,000 connections, two minutes
 *     npm run soak -- --connections 2000 --seconds 30
 *
 * The server needs a descriptor for each connection: see `ulimit -Hn`, up to which Node raises it. Clients are as many processes as it takes.
 */

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startChild } from "../bench/child.mjs";
import { makeKeys, makeToken } from "../bench/requests.mjs";
import { promises } from "./promises.mjs";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    seconds: { type: "string", default: "120" },
  },
});
const connections = Number(values.connections);
const seconds = Number(values.seconds);
if (!(connections >= 100 && seconds > 0))
  fail("At least 100 connections, for more than 0 seconds.");

/** Of each process, for what it needs besides. */
const spareDescriptors = 500;
const descriptors = mostDescriptors() - spareDescriptors;
if (descriptors < connections)
  fail(`${connections} connections need ${connections + spareDescriptors} descriptors: ulimit -n`);

const setUpSeconds = 120;
setTimeout(
  () => {
    process.stderr.write(`\nNot over after ${seconds + setUpSeconds} seconds.\n`);
    process.exit(1);
  },
  (seconds + setUpSeconds) * 1_000,
).unref();

const keys = makeKeys();
const tokensOf = (count) => Array.from({ length: count }, () => makeToken(keys, "HS256"));
const server = startChild(new URL("server-process.mjs", import.meta.url), undefined, [
  "--expose-gc",
]);
const { port } = await server.ask("start", { secret: keys.secret, connections });
const clients = Array.from({ length: Math.ceil(connections / descriptors) }, () =>
  startChild(new URL("client-process.mjs", import.meta.url)),
);
/** All at once; a count is split among them. */
const askClients = (order, { count, ...details } = {}) =>
  Promise.all(
    clients.map((client) =>
      client.ask(order, {
        ...details,
        ...(count === undefined ? {} : { count: Math.ceil(count / clients.length) }),
      }),
    ),
  );
await askClients("prepare", {
  port,
  tokens: tokensOf(1_000),
  forged: makeToken(keys, "HS256", true),
});

say("warming up");
// All of them once, for what grows to its size and stays: caches, tables, compiled code.
for (const share of [1, 0.1, 0.1]) {
  await askClients("open", { count: Math.ceil(connections * share) });
  await askClients("round", { churned: 10, revocable: tokensOf(2) });
  await askClients("close", { count: connections + clients.length });
  await server.ask("idle");
}
/** For timers that hold what is over: a renewal has five seconds, a client a second to end behind its close. */
const settleMs = Math.min(seconds, 6) * 1_000;
await sleep(settleMs);
const before = await server.ask("memory");

say(`opening ${connections} connections`);
await askClients("open", { count: connections });
const held = await server.ask("memory");

const endsAt = performance.now() + seconds * 1_000;
for (let round = 1; performance.now() < endsAt; round++) {
  const nextAt = performance.now() + 1_000;
  const churned = Math.ceil(connections / 100 / clients.length);
  await askClients("round", { churned, revocable: tokensOf(2) });
  const { open } = await server.ask("count");
  const toGo = Math.max(0, Math.ceil((endsAt - performance.now()) / 1_000));
  say(`${open} open after ${round} rounds, ${toGo} s to go`);
  await sleep(Math.max(0, nextAt - performance.now()));
}

say("draining");
const drained = await server.ask("drain", { jitterMs: Math.ceil(connections / 2) });
const told = sumOf(await askClients("report"));
await server.ask("idle");
await sleep(settleMs);
const after = await server.ask("memory");
await Promise.all([...clients.map((client) => client.stop()), server.stop()]);

say("");
const measured = promises({ connections, told, drained, before, held, after });
for (const { what, found, isKept } of measured)
  console.log(`${isKept ? "ok  " : "BAD "} ${what}: ${found}`);
process.exitCode = measured.every(({ isKept }) => isKept) ? 0 : 1;

/** Node has raised its soft limit to the hard one by now. */
function mostDescriptors() {
  const [, most] = /^Max open files +(\d+|unlimited)/m.exec(
    readFileSync("/proc/self/limits", "latin1"),
  );
  return most === "unlimited" ? Number.POSITIVE_INFINITY : Number(most);
}

function sumOf(objects) {
  const sum = {};
  for (const [name, count] of objects.flatMap(Object.entries)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

function fail(text) {
  process.stderr.write(`${text}\n`);
  process.exit(2);
}

function say(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
  else if (text !== "") process.stderr.write(`${text}\n`);
}
