import { once } from "node:events";
import { createServer } from "node:http";
import { type CloseEvent, type DrainOptions, guard, insecureAnyOrigin } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import type { WebSocket } from "ws";
import { fakeClock } from "../corpus/fake-clock.ts";
import { thrownBy } from "../support/handshakes.ts";
import { offeringServer, openSession, openStream } from "../support/http2.ts";
import { answerIn, dial, handshakeText } from "../support/raw-client.ts";
import { connectionsOf, deferred, gatedServer, gatedWs, openWebSocket } from "../support/server.ts";

const policy = guard(insecureAnyOrigin());

async function opened(options: Parameters<typeof gatedWs>[1] = {}, count = 3) {
  const served = await gatedWs(policy, options);
  const clients = await Promise.all(
    Array.from({ length: count }, () => openWebSocket(`ws://127.0.0.1:${served.port}/chat`)),
  );
  return { ...served, clients, closed: clients.map(closeOf) };
}

async function closeOf(client: WebSocket): Promise<string> {
  const [code, reason] = (await once(client, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

describe("drain", () => {
  it.each<[DrainOptions, string]>([
    [{}, "1012 draining;retry=5"],
    [{ code: "going-away", retryAfter: 30 }, "1001 draining;retry=30"],
  ])("%j closes all that is open, and resolves when all are gone", async (options, expected) => {
    const { gate, server, closed } = await opened();
    expect(await gate.drain(options)).toEqual({ open: 3, closed: 3, terminated: 0 });
    expect(await Promise.all(closed)).toEqual([expected, expected, expected]);
    expect(gate.connections.size).toBe(0);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("refuses new handshakes from the first moment on, and those that wait", async () => {
    const never = deferred<never>();
    const { port, gate } = await gatedServer(guard(insecureAnyOrigin(), () => never.promise));
    const waiting = await dial(port);
    waiting.send(handshakeText());
    await expect.poll(() => gate.pending).toBe(1);
    const drained = gate.drain();
    const late = await dial(port);
    late.send(handshakeText());
    for (const client of [waiting, late]) {
      const { status, headers } = answerIn(await client.closed);
      expect([status, headers["retry-after"]]).toEqual([503, "5"]);
    }
    expect(await drained).toEqual({ open: 0, closed: 0, terminated: 0 });
  });

  it("spreads the closes over time", async () => {
    const clock = fakeClock();
    const events: number[] = [];
    const { gate } = await opened({ clock, onClose: () => events.push(clock.monotonic()) }, 30);
    const startedAt = clock.monotonic();
    const drained = gate.drain({ jitterMs: 5_000 });
    clock.advance(2_500);
    expect(events.length).toBeGreaterThan(3);
    expect(events.length).toBeLessThan(27);
    clock.advance(2_500);
    expect(events).toHaveLength(30);
    expect(new Set(events).size).toBeGreaterThan(10);
    expect(Math.max(...events) - startedAt).toBeLessThanOrEqual(5_001);
    expect(await drained).toEqual({ open: 30, closed: 30, terminated: 0 });
  });

  it("cuts off who does not go", async () => {
    const clock = fakeClock();
    const { gate, port } = await gatedWs(policy, { clock });
    const deaf = await dial(port, { keepsOpen: true, isDeaf: true });
    deaf.send(handshakeText());
    await expect.poll(() => gate.connections.size).toBe(1);
    const drained = gate.drain({ timeoutMs: 500 });
    clock.advance(501);
    expect(await drained).toEqual({ open: 1, closed: 1, terminated: 1 });
  });

  it("counts who leaves by himself meanwhile", async () => {
    const clock = fakeClock();
    const { gate, clients } = await opened({ clock });
    const drained = gate.drain({ jitterMs: 5_000 });
    for (const client of clients) client.terminate();
    expect(await drained).toMatchObject({ open: 3, terminated: 0 });
    expect(clock.timers()).toBe(0);
  });

  it("does not count as told who was just being closed", async () => {
    const { gate } = await opened({}, 1);
    gate.connections.close(() => true);
    expect(await gate.drain()).toMatchObject({ open: 1, closed: 0 });
  });

  it("answers with the same promise when it is called again", async () => {
    const { gate } = await opened();
    const first = gate.drain();
    expect(gate.drain({ jitterMs: 1 })).toBe(first);
    await first;
    expect(gate.drain()).toBe(first);
  });

  it.each<[object]>([[{ timeoutMs: 0 }], [{ jitterMs: -1 }], [{ code: 1001 }], [{ wait: 1 }]])(
    "does not take %j",
    async (options) => {
      const { gate } = await opened({}, 1);
      expect(thrownBy(() => void gate.drain(options))).toContain("ERR_FIRMSHAKE_OPTION");
      expect(thrownBy(() => void gate.drain({ jitterMs: 20_000 }))).toContain("CONTRADICT");
      expect(gate.connections.size).toBe(1);
    },
  );

  it("lets the process end: the server closes by itself behind it", async () => {
    const server = createServer();
    const { gate, port } = await gatedWs(policy, {}, server);
    await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    const closed = once(server, "close");
    server.close();
    await gate.drain();
    await closed;
  });
});

it.each([
  ["of HTTP/2", async (port: number) => void (await openStream(await openSession(port)))],
  ["of HTTP/1", async (port: number) => void (await openWebSocket(`ws://127.0.0.1:${port}/chat`))],
])("WebSockets %s are counted, pinged, reaped and drained", async (name, connect) => {
  const clock = fakeClock();
  const events: CloseEvent[] = [];
  const server = name === "of HTTP/2" ? offeringServer() : createServer();
  const { gate, port } = await gatedWs(
    policy,
    { clock, onClose: (event) => events.push(event) },
    server,
  );
  await connect(port);
  expect([...gate.connections].map(({ clientAddress }) => clientAddress)).toEqual(["127.0.0.1"]);
  expect([...gate.connections.find({ address: "loopback", path: "/chat" })]).toHaveLength(1);
  // A client of HTTP/2 by hand answers no ping; the other does, but not as long as nothing else runs.
  clock.advance(60_000);
  expect(events.map(({ code, clientAddress }) => [code, clientAddress])).toEqual([
    ["ping_timeout", "127.0.0.1"],
  ]);
  await expect.poll(() => gate.connections.size).toBe(0);
  await connect(port);
  expect(await gate.drain()).toEqual({ open: 1, closed: 1, terminated: 0 });
});

it("close() refuses, and lets what is open stay", async () => {
  const { gate, clients, port } = await opened({}, 1);
  gate.close();
  const late = await dial(port);
  late.send(handshakeText());
  expect(answerIn(await late.closed).status).toBe(503);
  expect(clients[0]?.readyState).toBe(1);
  expect(gate.connections.size).toBe(1);
});

it("detach() leaves what was accepted guarded", async () => {
  const clock = fakeClock();
  const events: unknown[] = [];
  const { gate, closed } = await opened(
    {
      clock,
      lifetime: { maxAgeMs: 1_000, maxAgeJitter: 0 },
      onClose: ({ code }) => events.push(code),
    },
    1,
  );
  gate.detach();
  clock.advance(1_001);
  expect(await closed[0]).toBe("1001 max_age_reached");
  expect(events).toEqual(["max_age_reached"]);
});
