/** A server of `ws` that echoes, bare or behind a gate, in a process of its own. */
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { attach, guard, host, insecureAnyOrigin, jwt } from "@firmshake/node";
import { WebSocketServer } from "ws";
import { cpuOrders } from "./cpu-orders.mjs";
import { openSockets } from "./open-sockets.mjs";
import { site } from "./requests.mjs";
import { takeOrders } from "./take-orders.mjs";

const patienceMs = 60_000;
const rates = { limit: 1e9, windowMs: 1_000 };
const guarded = {
  "bare ws": undefined,
  "ws behind the gate": {},
  "the same, with rates": { limits: { messages: rates, bytes: rates } },
  "claims by hand": undefined,
  "rates and expiry": { limits: { messages: rates, bytes: rates } },
};

/** What an application without a gate would keep of a connection: unverified here, since that weighs nothing. */
function keepClaims(socket, { headers }) {
  const payload = headers.authorization.split(".")[1];
  socket.claims = JSON.parse(Buffer.from(payload, "base64url"));
}

let server;

const orders = {
  start: async ({ contender, secret }) => {
    server = createServer();
    const options = guarded[contender];
    if (options !== undefined) {
      const checks = [insecureAnyOrigin(), host(["app.example.com"])];
      if (contender === "rates and expiry") {
        const { issuer, audience } = site;
        checks.push(jwt({ issuer, audience, keys: new TextEncoder().encode(secret) }));
      }
      attach(server, guard(...checks), options);
    }
    const wss = new WebSocketServer({ server });
    wss.on("connection", (socket, request) => {
      if (contender === "claims by hand") keepClaims(socket, request);
      socket.on("error", () => undefined);
      socket.on("message", (data, binary) => socket.send(data, { binary }));
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", 4_096, resolve));
    return { port: server.address().port };
  },
  ...cpuOrders,
  /** What the process holds once that many connections are open. */
  heap: async ({ open }) => {
    const end = performance.now() + patienceMs;
    while ((await openSockets(server)) !== open) {
      if (performance.now() > end) throw new Error("The connections did not settle.");
      await sleep(20);
    }
    // Timers of connections, and what is looked at some seconds after a write.
    await sleep(open === 0 ? 500 : 6_500);
    for (let round = 0; round < 4; round++) {
      globalThis.gc();
      await sleep(100);
    }
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    return { heapUsed, external, arrayBuffers };
  },
};

takeOrders(orders);
