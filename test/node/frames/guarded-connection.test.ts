import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Duplex } from "node:stream";
import {
  allowWith,
  attach,
  firstMessage,
  type GateOptions,
  guard,
  type Identity,
  insecureAnyOrigin,
  type LimitsOptions,
  limits,
  type Policy,
} from "@firmshake/node";
import express from "express";
import expressWs from "express-ws";
import { describe, expect, it } from "vitest";
import { type ServerOptions, type WebSocket, WebSocketServer } from "ws";
import { closingOf } from "../../../packages/node/src/frames/close-socket.ts";
import { sendPing } from "../../../packages/node/src/frames/send-ping.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { clientFrame, offeringServer, openSession, openStream } from "../../support/http2.ts";
import { dial, handshakeText, type RawClient, textFrame } from "../../support/raw-client.ts";
import { connectionsOf, gatedServer, listen, openWebSocket } from "../../support/server.ts";
import { closeIn, serverFramesIn } from "../../support/server-frames.ts";
import { captureThrown } from "../../support/thrown.ts";

const open = guard(insecureAnyOrigin());

/** `ws` behind the gate, which echoes, and what its application holds. */
async function serve(
  policy: Policy,
  options: GateOptions = {},
  server: Server = createServer(),
  wsOptions: ServerOptions = {},
) {
  attach(server, policy, options);
  const heard: string[] = [];
  const opened: { readonly webSocket: WebSocket; readonly socket: Duplex }[] = [];
  const wss = new WebSocketServer({ server, ...wsOptions });
  wss.on("connection", (webSocket, { socket }) => {
    opened.push({ webSocket, socket });
    webSocket.on("message", (data) => {
      heard.push(String(data));
      webSocket.send(String(data));
    });
  });
  return { port: await listen(server), server, heard, opened };
}

async function dialOpen(port: number, target = "/chat", isTls = false): Promise<RawClient> {
  const client = await dial(port, { isTls });
  client.send(handshakeText({ target }));
  await client.until("\r\n\r\n");
  return client;
}

const unmasked = Buffer.from([0x81, 1, 65]);

describe("the meter stands below the library", () => {
  it("in what comes with the handshake", async () => {
    const { port, heard } = await serve(open);
    const client = await dial(port);
    client.send(
      Buffer.concat([
        Buffer.from(handshakeText()),
        textFrame("early"),
        unmasked,
        textFrame("late"),
      ]),
    );
    expect(closeIn(await client.closed)).toEqual([1002, "protocol_error"]);
    expect(heard).not.toContain("late");
  });

  it("over TLS", async () => {
    const server = createSecureServer(await makeCertificate()) as unknown as Server;
    const { port, heard } = await serve(open, {}, server);
    const client = await dialOpen(port, "/chat", true);
    client.send(textFrame("first"));
    await client.until("first");
    client.send(unmasked);
    expect(closeIn(await client.closed)).toEqual([1002, "protocol_error"]);
    expect(heard).toEqual(["first"]);
  });

  it("over HTTP/2", async () => {
    const { port, heard } = await serve(open, {}, offeringServer());
    const session = await openSession(port);
    const { stream } = await openStream(session);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.write(clientFrame("first"));
    await expect.poll(() => heard).toEqual(["first"]);
    stream.write(clientFrame(Buffer.alloc(65_537)));
    await once(stream, "close");
    expect(closeIn(`\r\n\r\n${Buffer.concat(chunks).toString("latin1")}`)).toEqual([
      1009,
      "message_too_big",
    ]);
    expect(heard).toEqual(["first"]);
  });

  it("a length that is announced closes at the header, without a byte of the payload", async () => {
    const { port } = await serve(open);
    const client = await dialOpen(port);
    for (const byte of [0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 1]) client.send(Buffer.from([byte]));
    expect(closeIn(await client.closed)).toEqual([1009, "message_too_big"]);
  });

  it("a message of the very length that is allowed comes through", async () => {
    const { port, heard } = await serve(open);
    const client = await dialOpen(port);
    client.send(clientFrame("x".repeat(65_536)));
    await expect.poll(() => heard.map(({ length }) => length)).toEqual([65_536]);
  });

  it("enumerates as the socket did, and is no other kind", async () => {
    const { next, port } = await gatedServer(open);
    const upgrade = next();
    const client = await dial(port);
    client.send(handshakeText());
    const { socket } = await upgrade;
    for (const name of ["push", "write", "destroy"]) {
      expect(Object.keys(socket)).not.toContain(name);
    }
    expect(socket.constructor.name).toBe("Socket");
  });

  it("under a method that somebody else has put on the socket before", async () => {
    const server = createServer();
    server.on("connection", (socket) => {
      const { write } = socket;
      socket.write = function traced(this: unknown, ...args: unknown[]) {
        return Reflect.apply(write, this, args);
      } as typeof write;
    });
    const { port } = await serve(open, {}, server);
    const client = await dialOpen(port);
    client.send(unmasked);
    expect(closeIn(await client.closed)).toEqual([1002, "protocol_error"]);
  });
});

describe("nothing that a client sends ends the process", () => {
  it.each([
    ["reserved bits", Buffer.from([0xf1, 0x80, 0, 0, 0, 0])],
    ["not masked", unmasked],
    ["text that is none", Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28])],
  ])("the server of express-ws's readme, which listens for no error: %s", async (_, frame) => {
    const thrown = captureThrown();
    const app = express();
    const server = createServer(app);
    expressWs(app, server);
    (app as unknown as { ws: (path: string, on: (socket: WebSocket) => void) => void }).ws(
      "/chat",
      (socket) => socket.on("message", (message) => socket.send(String(message))),
    );
    attach(server, open);
    const port = await listen(server);
    const client = await dialOpen(port);
    client.send(frame);
    await client.closed;
    const other = await dialOpen(port);
    other.send(textFrame("still here"));
    await other.until("still here");
    expect(thrown).toEqual([]);
  });

  it("a reset, where nobody listens for errors of the socket", async () => {
    const thrown = captureThrown();
    const server = createServer();
    server.on("upgrade", (_request, socket: Duplex) => {
      socket.resume();
      socket.write("HTTP/1.1 101 Mine\r\n\r\n");
    });
    attach(server, open);
    const client = await dialOpen(await listen(server));
    client.reset();
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(thrown).toEqual([]);
  });
});

describe("rates", () => {
  const ada: Identity = { subject: "ada", scheme: "test", claims: {}, expiresAt: undefined };
  const bob: Identity = { ...ada, subject: "bob" };
  const identified = guard(insecureAnyOrigin(), ({ path }) =>
    allowWith({ identity: path === "/bob" ? bob : ada }),
  );

  it.each<[string, LimitsOptions, readonly string[], string]>([
    [
      "messages",
      { messages: { limit: 3, windowMs: 60_000 } },
      ["1", "2", "3", "4"],
      "message_rate_exceeded",
    ],
    [
      "bytes",
      { bytes: { limit: 10, windowMs: 60_000 } },
      ["12345", "12345", "1"],
      "byte_rate_exceeded",
    ],
  ])("of one connection: %s", async (_, given, texts, reason) => {
    const { port, heard } = await serve(open, { limits: given });
    const client = await dialOpen(port);
    client.send(Buffer.concat(texts.map(textFrame)));
    expect(closeIn(await client.closed)).toEqual([1008, reason]);
    expect(heard).toEqual(texts.slice(0, -1));
  });

  it("of one identity, over its connections, and no one else's", async () => {
    const { port } = await serve(identified, {
      limits: { messagesPerIdentity: { limit: 3, windowMs: 60_000 } },
    });
    const [one, two, other] = [
      await dialOpen(port),
      await dialOpen(port),
      await dialOpen(port, "/bob"),
    ] as const;
    for (const text of ["1", "2"]) {
      one.send(textFrame(text));
      await one.until(text);
    }
    two.send(textFrame("3"));
    await two.until("3");
    two.send(textFrame("4"));
    expect(closeIn(await two.closed)).toEqual([1008, "message_rate_exceeded"]);
    other.send(textFrame("mine"));
    await other.until("mine");
    const again = await dialOpen(port);
    again.send(textFrame("5"));
    expect(closeIn(await again.closed)).toEqual([1008, "message_rate_exceeded"]);
  });

  it("drain with time", async () => {
    const { port } = await serve(open, { limits: { messages: { limit: 2, windowMs: 200 } } });
    const client = await dialOpen(port);
    for (const text of ["1-", "2-", "3-", "4-"]) {
      client.send(textFrame(text));
      await client.until(text);
      await new Promise((resolve) => setTimeout(resolve, 110));
    }
  });
});

describe("a guard's word counts instead of the gate's", () => {
  const limited = (...given: readonly LimitsOptions[]) =>
    guard(insecureAnyOrigin(), ...given.map(limits));

  it.each<[string, readonly LimitsOptions[], GateOptions, number, boolean]>([
    ["more than the default", [{ maxMessageBytes: 100_000 }], {}, 90_000, true],
    ["less than the default", [{ maxMessageBytes: 100 }], {}, 101, false],
    [
      "more than the gate's",
      [{ maxMessageBytes: 100 }],
      { limits: { maxMessageBytes: 10 } },
      90,
      true,
    ],
    ["none", [{ maxMessageBytes: 0 }], { limits: { maxMessageBytes: 10 } }, 500_000, true],
    [
      "the strictest of several",
      [{ maxMessageBytes: 1_000 }, { maxMessageBytes: 100 }],
      {},
      101,
      false,
    ],
    ["off is the least strict", [{ maxMessageBytes: 0 }, { maxMessageBytes: 100 }], {}, 101, false],
    [
      "of what it does not speak, the gate's",
      [{ maxFragments: 3 }],
      { limits: { maxMessageBytes: 10 } },
      11,
      false,
    ],
  ])("%s", async (_, given, options, length, passes) => {
    const { port, heard } = await serve(limited(...given), options);
    const client = await dialOpen(port);
    client.send(clientFrame("x".repeat(length)));
    if (passes) await expect.poll(() => heard.map((text) => text.length)).toEqual([length]);
    else expect(closeIn(await client.closed)).toEqual([1009, "message_too_big"]);
  });
});

describe("two gates, one behind the other, add up", () => {
  const limited = (given: LimitsOptions) => guard(insecureAnyOrigin(), limits(given));

  it.each<[string, Policy, GateOptions, Policy, GateOptions]>([
    ["the inner guard's word", open, {}, limited({ maxMessageBytes: 10 }), {}],
    ["the outer guard's word", limited({ maxMessageBytes: 10 }), {}, open, {}],
    ["the inner gate's word", open, {}, open, { limits: { maxMessageBytes: 10 } }],
    [
      "the stricter of two",
      limited({ maxMessageBytes: 10 }),
      {},
      limited({ maxMessageBytes: 500 }),
      {},
    ],
  ])("%s", async (_, outer, outerOptions, inner, innerOptions) => {
    const { port, heard, server } = await serve(inner, innerOptions);
    attach(server, outer, outerOptions);
    const client = await dialOpen(port);
    client.send(textFrame("1234567890"));
    await client.until("1234567890");
    client.send(textFrame("12345678901"));
    expect(closeIn(await client.closed)).toEqual([1009, "message_too_big"]);
    expect(heard).toEqual(["1234567890"]);
  });

  it("for what comes with the handshake", async () => {
    const { port, heard, server } = await serve(limited({ maxMessageBytes: 10 }));
    attach(server, open);
    const client = await dial(port);
    client.send(Buffer.concat([Buffer.from(handshakeText()), textFrame("12345678901")]));
    expect(closeIn(await client.closed)).toEqual([1009, "message_too_big"]);
    expect(heard).toEqual([]);
  });
});

describe("what is known after the hand-over alone", () => {
  it("counts towards the identity that a first message has brought", async () => {
    const server = createServer();
    attach(server, open, { limits: { messagesPerIdentity: { limit: 3, windowMs: 60_000 } } });
    const authenticate = firstMessage({ verify: (subject) => ({ subject }) });
    new WebSocketServer({ server }).on("connection", async (webSocket, request) => {
      await authenticate(webSocket, request);
      webSocket.on("message", (data) => webSocket.send(String(data)));
      webSocket.send("welcome");
    });
    const port = await listen(server);
    const [one, two] = [await dialOpen(port), await dialOpen(port)] as const;
    for (const client of [one, two]) {
      client.send(textFrame("ada"));
      await client.until("welcome");
    }
    for (const text of ["1", "2", "3"]) {
      one.send(textFrame(text));
      await one.until(text);
    }
    two.send(textFrame("4"));
    expect(closeIn(await two.closed)).toEqual([1008, "message_rate_exceeded"]);
  });
});

describe("compression", () => {
  const offer = "permessage-deflate; client_max_window_bits";

  it.each<[LimitsOptions["compression"], RegExp | undefined]>([
    ["off", undefined],
    ["bounded", /server_no_context_takeover.*server_max_window_bits=12/],
    ["allow", /^permessage-deflate/],
  ])("%s", async (compression, agreed) => {
    const limitsGiven: LimitsOptions = compression === undefined ? {} : { compression };
    const { port } = await serve(open, { limits: limitsGiven }, createServer(), {
      perMessageDeflate: { threshold: 0 },
    });
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`, [], {
      headers: {},
      perMessageDeflate: true,
    });
    if (agreed === undefined) expect(client.extensions).toBe("");
    else expect(client.extensions).toMatch("permessage-deflate");
    const answer = once(client, "message");
    client.send("x".repeat(5_000));
    expect(String((await answer)[0])).toBe("x".repeat(5_000));

    const raw = await dial(port);
    raw.send(handshakeText({ headers: { "Sec-WebSocket-Extensions": offer } }));
    const [, line] = /Sec-WebSocket-Extensions: (.*)\r\n/.exec(await raw.until("\r\n\r\n")) ?? [];
    if (agreed === undefined) expect(line).toBeUndefined();
    else expect(line).toMatch(agreed);
  });
});

describe("slow readers", () => {
  it("for whom four times the bound waits are closed at once, with 1013", async () => {
    const { port, opened, server } = await serve(open, { limits: { maxBufferedBytes: 100_000 } });
    const client = await dial(port, { isDeaf: true });
    client.send(handshakeText());
    await expect.poll(() => opened.length).toBe(1);
    const [{ webSocket, socket } = expect.fail()] = opened;
    for (let count = 0; count < 200; count++) webSocket.send(Buffer.alloc(100_000));
    expect(closingOf(socket)).toEqual({ code: 1013, reason: "slow_consumer" });
    expect(socket.writableLength).toBeLessThan(1_000_000);
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
  });

  it("and those who read are not, however much they are sent", async () => {
    const { port, opened } = await serve(open, {
      limits: { maxBufferedBytes: 50_000, bufferedGraceMs: 200 },
    });
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    let received = 0;
    client.on("message", (data: Buffer) => {
      received += data.length;
    });
    const [{ webSocket, socket } = expect.fail()] = opened;
    for (let count = 0; count < 60; count++) {
      await new Promise((resolve) => webSocket.send(Buffer.alloc(150_000), resolve));
    }
    await expect.poll(() => received).toBe(60 * 150_000);
    expect(closingOf(socket)).toBeUndefined();
  });
});

describe("sendPing", () => {
  it("sends one below the library, at the end of its frame", async () => {
    const { port, next } = await gatedServer(open);
    const upgrade = next();
    const client = await dial(port);
    client.send(handshakeText());
    const { socket } = await upgrade;
    await client.until("\r\n\r\n");
    expect(sendPing(socket, "a")).toBe(true);
    socket.write(Buffer.from([0x82, 4, 1]));
    expect(sendPing(socket, "b")).toBe(true);
    // Somebody waits for the end of the frame already.
    expect(sendPing(socket, "c")).toBe(false);
    socket.write(Buffer.from([2, 3, 4, 0x81, 1, 90]));
    const frames = serverFramesIn(await client.until("\x81\x01Z"));
    expect(frames.map(({ opcode, payload }) => [opcode, ...payload])).toEqual([
      [9, 97],
      [2, 1, 2, 3, 4],
      [9, 98],
      [1, 90],
    ]);
    socket.write(Buffer.from([0x88, 0]));
    expect(sendPing(socket, "d")).toBe(false);
  });
});
