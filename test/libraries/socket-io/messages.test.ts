import { once } from "node:events";
import {
  type Check,
  type CloseEvent,
  type GateOptions,
  guard,
  insecureAnyOrigin,
  limits,
  refuse,
} from "@firmshake/node";
import type { ServerOptions } from "socket.io";
import type { Socket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { client, connectError, connected, type SocketIoServer, socketIo } from "./socket-io.ts";

/** A server that answers with the number of bytes that it was sent, and what its gate has closed. */
async function counting(
  checks: readonly Check[] = [],
  options: Partial<ServerOptions> = {},
): Promise<SocketIoServer & { readonly ended: readonly CloseEvent[] }> {
  const ended: CloseEvent[] = [];
  const policy = { "/socket.io/*": guard({ checks: [insecureAnyOrigin(), ...checks] }) };
  const onClose = (event: CloseEvent): void => void ended.push(event);
  const served = await socketIo(policy, options, { onClose });
  served.io.on("connection", (socket) => {
    socket.on("count", (...args) => {
      const answer = args.pop() as (bytes: number) => void;
      answer(args.reduce((sum, one) => sum + one.length, 0));
    });
  });
  return { ...served, ended };
}

const count = (socket: Socket, ...what: readonly unknown[]): Promise<number> =>
  socket.emitWithAck("count", ...what);

/** What a client is told when its message was too much. */
async function endOf(socket: Socket, ...what: readonly unknown[]): Promise<unknown> {
  const ended = once(socket as never, "disconnect");
  socket.emit("count", ...what, () => undefined);
  const [reason, details] = (await ended) as [string, { context?: { code?: number } } | undefined];
  return [reason, details?.context?.code];
}

const long = "x".repeat(100_000);

describe("by WebSocket", () => {
  const transports = ["websocket"];

  it("a message of more than 64 KiB closes the connection, and the client can read why", async () => {
    const { port, ended } = await counting();
    const one = client(port, { transports });
    await connected(one);
    expect(await count(one, "x".repeat(65_000))).toBe(65_000);
    expect(await endOf(one, long)).toEqual(["transport close", 1009]);
    expect(ended).toMatchObject([{ code: "message_too_big", closeCode: 1009 }]);
  });

  it("so it is with one attachment, and each is a message of its own", async () => {
    const { port } = await counting();
    const one = client(port, { transports });
    await connected(one);
    const [half, whole] = [Buffer.alloc(40_000), Buffer.alloc(70_000)];
    expect(await count(one, half, half, half)).toBe(120_000);
    expect(await endOf(one, whole)).toEqual(["transport close", 1009]);
  });

  it("limits({ maxMessageBytes }) allows more, up to there", async () => {
    const { port } = await counting([limits({ maxMessageBytes: 1_000_000 })]);
    const one = client(port, { transports });
    await connected(one);
    expect(await count(one, long)).toBe(100_000);
    expect(await endOf(one, "x".repeat(1_000_000))).toEqual(["transport close", 1009]);
  });

  it("maxHttpBufferSize alone allows no more", async () => {
    const { port } = await counting([], { maxHttpBufferSize: 10_000_000 });
    const one = client(port, { transports });
    await connected(one);
    expect(await endOf(one, long)).toEqual(["transport close", 1009]);
  });

  it("behind a larger limit of the gate's, maxHttpBufferSize counts", async () => {
    const { port, ended } = await counting([limits({ maxMessageBytes: 10_000_000 })]);
    const one = client(port, { transports });
    await connected(one);
    expect(await endOf(one, "x".repeat(1_000_001))).toEqual(["transport close", 1009]);
    expect(ended).toEqual([]);
  });
});

describe("by polling", () => {
  const transports = ["polling"];

  it("maxHttpBufferSize is the only limit", async () => {
    const { port, ended } = await counting([limits({ maxMessageBytes: 1_000 })]);
    const one = client(port, { transports });
    await connected(one);
    expect(await count(one, "x".repeat(900_000))).toBe(900_000);
    expect(await endOf(one, "x".repeat(1_000_001))).toEqual(["transport error", undefined]);
    expect(ended).toEqual([]);
  });

  it("what goes by polling does not go any more once the session has moved", async () => {
    const { port, io } = await counting();
    const moved = new Promise<void>((resolve) => {
      io.on("connection", (socket) => socket.conn.once("upgrade", () => resolve()));
    });
    const one = client(port, { transports: ["polling", "websocket"] });
    await connected(one);
    await moved;
    expect(await endOf(one, long)).toEqual(["transport close", 1009]);
  });
});

describe("a refusal by a close", () => {
  const policy = { "/socket.io/*": guard(insecureAnyOrigin(), () => refuse("forbidden")) };
  const refused = async (options: GateOptions, transports: string[]): Promise<unknown> => {
    const { port } = await socketIo(policy, {}, options);
    const startedAt = performance.now();
    const { message } = await connectError(client(port, { transports, timeout: 1_000 }));
    return [message, performance.now() - startedAt > 950 ? "late" : "at once"];
  };

  it("is no connect_error to a client of WebSockets alone, which waits for its time-out", async () => {
    expect(await refused({ refuse: "close" }, ["websocket"])).toEqual(["timeout", "late"]);
    expect(await refused({}, ["websocket"])).toEqual(["websocket error", "at once"]);
  });

  it("does not touch polling, with which clients begin by default", async () => {
    expect(await refused({ refuse: "close" }, ["polling", "websocket"])).toEqual([
      "xhr poll error",
      "at once",
    ]);
  });
});
