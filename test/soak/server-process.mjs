/** A chat server as a user would write it, behind the gate; it echoes, takes new tokens, and is told whom to lock out. */
import { createSecretKey } from "node:crypto";
import { readdirSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import {
  address,
  attach,
  connectionOf,
  guard,
  jwt,
  lifetime,
  limits,
  maxConnections,
  origin,
  rateLimit,
  renewal,
  tokenVerifier,
} from "@firmshake/node";
import { WebSocketServer } from "ws";
import { openSockets } from "../bench/open-sockets.mjs";
import { site } from "../bench/requests.mjs";
import { takeOrders } from "../bench/take-orders.mjs";

const patienceMs = 30_000;
/** For whoever is on the way; a place that an attack has kept would soon be missed. */
const sparePlaces = 300;
const server = createServer();
let gate;

const orders = {
  start: async ({ secret, connections }) => {
    const tokens = {
      issuer: site.issuer,
      audience: site.audience,
      keys: createSecretKey(Buffer.from(secret)),
      algorithms: ["HS256"],
    };
    const chat = guard(
      origin([site.origin]),
      address({ deny: ["203.0.113.0/24"] }),
      rateLimit({ limit: 1_000_000, windowMs: 60_000 }),
      maxConnections({ total: connections + sparePlaces }),
      jwt({ ...tokens, cache: { maxTokens: 1_000 } }),
      maxConnections({ perIdentity: connections }),
      limits({ messages: { limit: 100, windowMs: 1_000 } }),
      lifetime({ maxAgeMs: 3_600_000, idleMs: 3_600_000, pingIntervalMs: 15_000 }),
    );
    const renew = renewal({ verify: tokenVerifier(tokens) });
    gate = attach(server, { "/chat": chat }, { maxPendingPerAddress: 1_000 });
    new WebSocketServer({ server }).on("connection", (socket, request) => {
      socket.on("error", () => undefined);
      socket.on("message", async (data) => {
        const [word, nonce, token] = String(data).split(" ");
        if (word === "renew") {
          const { ok } = await renew(request, token);
          socket.send(`${nonce} ${ok}`);
        } else if (word === "lock-me-out") {
          gate.connections.revoke({ subject: connectionOf(request).identity.subject });
        } else {
          socket.send(word);
        }
      });
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", 4_096, resolve));
    return { port: server.address().port };
  },

  memory: async () => {
    // More than once, for what finalizers let go of.
    for (let round = 0; round < 3; round++) {
      globalThis.gc();
      await sleep(50);
    }
    const { heapUsed, rss } = process.memoryUsage();
    const descriptors = readdirSync("/proc/self/fd").length;
    return { heapUsed, rss, descriptors, registered: gate.connections.size };
  },

  count: async () => ({ open: gate.connections.size }),

  drain: ({ jitterMs }) => gate.drain({ timeoutMs: jitterMs + 20_000, jitterMs }),

  idle: async () => {
    const end = performance.now() + patienceMs;
    while ((await openSockets(server)) > 0) {
      if (performance.now() > end) throw new Error(`${await openSockets(server)} sockets stay.`);
      await sleep(20);
    }
    return {};
  },
};

takeOrders(orders);
