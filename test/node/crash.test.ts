import { once } from "node:events";
import { createServer } from "node:http";
import { allow, attach, guard, insecureAnyOrigin, refuse } from "@firmshake/node";
import { expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { randomNumbers } from "../support/random-numbers.ts";
import { dial, handshakeText, textFrame } from "../support/raw-client.ts";
import { connectionsOf, echoing, echoOf, listen, openWebSocket } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it("survives 2,000 handshakes of clients that reset, half-close, stall and send garbage", async () => {
  const thrown = captureThrown();
  const random = randomNumbers(20_250_801);
  const below = (limit: number): number => Math.floor(random() * limit);
  const server = createServer(
    (_request, response) => void setTimeout(() => response.end("page"), 5),
  );
  const gate = attach(
    server,
    guard(insecureAnyOrigin(), async (handshake) => {
      await pause(below(8));
      const kind = below(10);
      if (kind === 0) return refuse("forbidden");
      if (kind === 1) throw new Error("a check that fails");
      if (kind === 2) return undefined as never;
      if (kind === 3) await once(handshake.signal, "abort");
      return allow;
    }),
    { decisionTimeoutMs: 60, maxPending: 80, maxPendingPerAddress: 80, maxEarlyBytes: 50_000 },
  );
  const wss = echoing(new WebSocketServer({ server }));
  const port = await listen(server);
  const listeners = server.eventNames().map((name) => [name, server.listenerCount(name)]);
  const processListeners = process.eventNames().map((name) => [name, process.listenerCount(name)]);

  const leave = [
    async (client: Awaited<ReturnType<typeof dial>>) => client.reset(),
    async (client: Awaited<ReturnType<typeof dial>>) => void client.socket.end(),
    async (client: Awaited<ReturnType<typeof dial>>) => void client.socket.destroy(),
    async (client: Awaited<ReturnType<typeof dial>>) => {
      await Promise.race([client.ended, pause(80)]);
      client.socket.end();
    },
  ];
  const say = [
    () => handshakeText(),
    () => handshakeText() + textFrame("early").toString("latin1"),
    () => handshakeText() + "x".repeat(below(100_000)),
    () => handshakeText({ headers: { "Sec-WebSocket-Key": "short" } }),
    () => `${handshakeText({ method: "POST", headers: { "Content-Length": "5" } })}12345`,
    () => handshakeText().slice(0, 40),
    () => handshakeText({ target: "//evil\\\\..", headers: { Host: ["a", "b"] } }),
    () => `GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${handshakeText()}`,
    () => handshakeText() + handshakeText(),
    () => "\u0000\u00ffgarbage\r\n\r\n",
    () => handshakeText({ headers: { Connection: "close" } }),
  ];

  async function oneClient(): Promise<void> {
    const client = await dial(port, {
      isUntracked: true,
      keepsOpen: below(2) === 0,
      isDeaf: below(8) === 0,
    });
    client.send(Buffer.from(say[below(say.length)]?.() ?? "", "latin1"));
    await pause(below(8));
    await leave[below(leave.length)]?.(client);
    if (client.socket.destroyed) return;
    await Promise.race([client.closed, pause(50)]);
    client.socket.destroy();
  }

  let started = 0;
  async function oneLane(): Promise<void> {
    while (started++ < 2_000) await oneClient();
  }
  await Promise.all(Array.from({ length: 100 }, oneLane));

  await expect.poll(() => gate.pending, { timeout: 5_000 }).toBe(0);
  await expect.poll(() => connectionsOf(server), { timeout: 5_000 }).toBe(0);
  expect(wss.clients.size).toBe(0);
  expect(thrown).toEqual([]);
  expect(server.eventNames().map((name) => [name, server.listenerCount(name)])).toEqual(listeners);
  expect(process.eventNames().map((name) => [name, process.listenerCount(name)])).toEqual(
    processListeners,
  );
  gate.detach();
  attach(server, guard(insecureAnyOrigin()));
  expect(
    await echoOf(await openWebSocket(`ws://localhost:${port}/chat`, [], { family: 4 }), "well"),
  ).toBe("well");
});
