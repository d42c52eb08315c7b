import { once } from "node:events";
import type { ClientHttp2Session, ClientHttp2Stream, ServerHttp2Stream } from "node:http2";
import { allow, attach, guard, insecureAnyOrigin, refuse } from "@firmshake/node";
import { expect, it } from "vitest";
import { WebSocketServer } from "ws";
import {
  askFor,
  clientFrame,
  closeFrame,
  cut,
  nextMessage,
  offeringServer,
  openSession,
  openStream,
} from "../support/http2.ts";
import { randomNumbers } from "../support/random-numbers.ts";
import { connectionsOf, echoing, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it("survives 2,000 streams of clients that reset, half-close, stall, flood and cut their connections", async () => {
  const thrown = captureThrown();
  const random = randomNumbers(20_250_801);
  const below = (limit: number): number => Math.floor(random() * limit);
  const server = offeringServer();
  const open = new Set<ServerHttp2Stream>();
  server.on("session", (session) => {
    session.on("stream", (stream: ServerHttp2Stream) => {
      open.add(stream);
      stream.once("close", () => open.delete(stream));
    });
  });
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

  const say = [
    (stream: ClientHttp2Stream) => stream.write(clientFrame("hello")),
    (stream: ClientHttp2Stream) => stream.write(Buffer.alloc(below(100_000))),
    (stream: ClientHttp2Stream) => stream.write(clientFrame("x".repeat(below(200_000)))),
    (stream: ClientHttp2Stream) => stream.write(closeFrame(1_000)),
    () => undefined,
  ];
  const leave = [
    (stream: ClientHttp2Stream) => stream.close(8),
    (stream: ClientHttp2Stream) => stream.close(0),
    (stream: ClientHttp2Stream) => stream.close(1),
    (stream: ClientHttp2Stream) => void stream.end(),
    (stream: ClientHttp2Stream) => void stream.resume(),
    () => undefined,
  ];
  const asks = [{}, {}, {}, {}, { ":path": "//evil" }, { ":protocol": "other" }, { host: "b" }];

  async function oneSession(): Promise<void> {
    const settings = { initialWindowSize: [65_535, 65_535, 100, 0][below(4)] as number };
    const session: ClientHttp2Session = await openSession(port, { settings });
    for (let count = 0; count < 20 && !session.destroyed && !session.closed; count++) {
      const stream = askFor(session, asks[below(asks.length)], { endStream: below(10) === 0 });
      if (!stream.writableEnded) say[below(say.length)]?.(stream);
      await pause(below(8));
      if (!stream.destroyed) leave[below(leave.length)]?.(stream);
    }
    await pause(below(80));
    cut(session);
  }

  async function oneLane(): Promise<void> {
    for (let count = 0; count < 5; count++) await oneSession();
  }
  await Promise.all(Array.from({ length: 20 }, oneLane));

  await expect.poll(() => gate.pending, { timeout: 5_000 }).toBe(0);
  await expect.poll(() => connectionsOf(server), { timeout: 5_000 }).toBe(0);
  await expect.poll(() => [wss.clients.size, open.size]).toEqual([0, 0]);
  expect(thrown).toEqual([]);
  expect(server.eventNames().map((name) => [name, server.listenerCount(name)])).toEqual(listeners);
  gate.detach();
  attach(server, guard(insecureAnyOrigin()));
  const { stream } = await openStream(await openSession(port));
  stream.write(clientFrame("well"));
  expect(String(await nextMessage(stream))).toBe("well");
}, 60_000);
