/** A chat server as a user would write it, behind the gate; it echoes. */
import { createSecretKey } from "node:crypto";
import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { address, attach, guard, jwt, origin, rateLimit } from "@firmshake/node";
import { WebSocketServer } from "ws";
import { site } from "../bench/requests.mjs";

const patienceMs = 30_000;
const server = createServer();
let gate;

const orders = {
  start: async ({ secret }) => {
    const chat = guard(
      origin([site.origin]),
      address({ deny: ["203.0.113.0/24"] }),
      rateLimit({ limit: 1_000_000, windowMs: 60_000 }),
      jwt({
        issuer: site.issuer,
        audience: site.audience,
        keys: createSecretKey(Buffer.from(secret)),
        algorithms: ["HS256"],
        cache: { maxTokens: 2_000 },
      }),
    );
    gate = attach(server, { "/chat": chat }, { maxPendingPerAddress: 1_000 });
    new WebSocketServer({ server }).on("connection", (socket) => {
      socket.on("error", () => undefined);
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", 4_096, resolve));
    return { port: server.address().port };
  },

  memory: async () => {
    // A second time, for what finalizers let go of.
    for (let round = 0; round < 3; round++) {
      globalThis.gc();
      await sleep(50);
    }
    const { heapUsed, rss } = process.memoryUsage();
    return { heapUsed, rss, descriptors: readdirSync("/proc/self/fd").length };
  },

  count: async () => ({ open: await openConnections() }),

  drain: () => gate.drain({ timeoutMs: 20_000, jitterMs: 5_000 }),

  idle: async () => {
    const end = performance.now() + patienceMs;
    while ((await openConnections()) > 0) {
      if (performance.now() > end) throw new Error(`${await openConnections()} connections stay.`);
      await sleep(20);
    }
    return {};
  },
};

const openConnections = () =>
  new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

process.on("message", async ({ order, details }) => {
  try {
    process.send({ result: await orders[order](details) });
  } catch (error) {
    process.send({ error: String(error?.stack ?? error) });
  }
});
process.on("disconnect", () => process.exit());
