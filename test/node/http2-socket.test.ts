import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { finished } from "node:stream/promises";
import type { TLSSocket } from "node:tls";
import { allow, attach, guard, insecureAnyOrigin } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import {
  acceptText,
  answerTo,
  askFor,
  clientFrame,
  cut,
  headOf,
  offeringServer,
  openSession,
  secureOfferingServer,
  textsOf,
} from "../support/http2.ts";
import { listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const anyone = guard(insecureAnyOrigin(), () => allow);

/** A stream on its way, and the socket that a library was given for it. */
async function bridged(
  given: {
    readonly server?: ReturnType<typeof offeringServer>;
    readonly isTls?: boolean;
    readonly window?: number;
  } = {},
): Promise<{
  readonly client: ReturnType<typeof askFor>;
  readonly session: Awaited<ReturnType<typeof openSession>>;
  readonly request: IncomingMessage;
  readonly socket: Socket;
  readonly stream: ServerHttp2Stream;
}> {
  const server = given.server ?? offeringServer();
  const streams: ServerHttp2Stream[] = [];
  server.on("session", (session: ServerHttp2Session) => {
    session.on("stream", (stream) => streams.push(stream));
  });
  attach(server, anyone, { limits: { maxMessageBytes: 0 } });
  const upgraded = once(server, "upgrade") as Promise<[IncomingMessage, Socket]>;
  const settings = given.window === undefined ? {} : { initialWindowSize: given.window };
  const isTls = given.isTls ?? false;
  const session = await openSession(await listen(server), { isTls, settings });
  const client = askFor(session);
  const [request, socket] = await upgraded;
  return { client, session, request, socket, stream: streams[0] as ServerHttp2Stream };
}

/** The same, with the WebSocket taken. */
async function opened(given: Parameters<typeof bridged>[0] = {}): ReturnType<typeof bridged> {
  const made = await bridged(given);
  made.socket.write(acceptText(made.request));
  expect((await headOf(made.client))[":status"]).toBe(200);
  return made;
}

/** Whether a socket closes with an error; nobody listens for that. */
const closeOf = (socket: Socket): Promise<boolean> =>
  new Promise((resolve) => socket.once("close", resolve));

describe("the answer", () => {
  it("in single bytes, and joined with the first bytes of the WebSocket", async () => {
    const { client, request, socket } = await bridged();
    for (const byte of Buffer.from(`${acceptText(request)}first`))
      socket.write(Buffer.from([byte]));
    expect((await headOf(client))[":status"]).toBe(200);
    let text = "";
    client.on("data", (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text).toBe("first");
  });

  it("under cork", async () => {
    const { client, request, socket } = await bridged();
    socket.cork();
    socket.write(acceptText(request));
    socket.write("one");
    socket.write("two");
    process.nextTick(() => socket.uncork());
    await headOf(client);
    let text = "";
    client.on("data", (chunk) => {
      text += String(chunk);
    });
    await expect.poll(() => text).toBe("onetwo");
  });

  const refusals: readonly (readonly [string, (socket: Socket) => unknown, object])[] = [
    [
      "write and destroy, as the documentation of ws says",
      (socket) => {
        socket.write("HTTP/1.1 401 Unauthorized\r\n\r\n");
        socket.destroy();
      },
      { status: 401, body: "", hasEnded: true, rstCode: 0 },
    ],
    [
      "in pieces, and destroyed in the same breath",
      (socket) => {
        socket.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 10\r\n");
        socket.write("Connection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n");
        socket.write("hello");
        socket.write("world");
        socket.destroy();
      },
      { status: 401, body: "helloworld", hasEnded: true, rstCode: 0 },
    ],
    [
      "by end()",
      (socket) => socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nnothing here"),
      { status: 404, body: "nothing here", hasEnded: true, rstCode: 0 },
    ],
    [
      "whole, and left open",
      (socket) => socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"),
      { status: 403, body: "no", hasEnded: true, rstCode: 0 },
    ],
    [
      "in chunks",
      (socket) => {
        socket.write("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n");
        socket.end("5\r\n, not\r\n0\r\n\r\n");
      },
      { status: 403, body: "no, not", hasEnded: true, rstCode: 0 },
    ],
    [
      "without a body",
      (socket) => socket.end("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
      { status: 304, body: "", hasEnded: true },
    ],
    [
      "behind an interim one",
      (socket) => {
        socket.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
        socket.end("HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n");
      },
      { status: 302, body: "", hasEnded: true },
    ],
    [
      "a page, which would accept the WebSocket",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"),
      { status: 501, body: expect.stringContaining("protocol_unsupported"), hasEnded: true },
    ],
    [
      "of one mebibyte",
      (socket) => socket.end(`HTTP/1.1 500 x\r\n\r\n${"x".repeat(2 ** 20)}`),
      { status: 500, body: "x".repeat(2 ** 20), hasEnded: true },
    ],
  ];

  it.each(refusals)("%s, is that of the stream", async (_, write, expected) => {
    const thrown = captureThrown();
    const { client, socket, stream } = await bridged();
    write(socket);
    const answer = await answerTo(client);
    expect(answer).toMatchObject(expected);
    for (const name of ["connection", "x-hop", "transfer-encoding", "keep-alive"]) {
      expect(answer.headers).not.toHaveProperty(name);
    }
    await expect.poll(() => stream.destroyed).toBe(true);
    expect(thrown).toEqual([]);
  });

  const improper: readonly (readonly [
    string,
    (socket: Socket, request: IncomingMessage) => unknown,
  ])[] = [
    [
      "a wrong accept",
      (socket) => socket.write("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: AAAA\r\n\r\n"),
    ],
    ["no accept", (socket) => socket.write("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n")],
    [
      "two accepts",
      (socket, request) => socket.write(acceptText(request, ["Sec-WebSocket-Accept: AAAA"])),
    ],
    ["garbage", (socket) => socket.write("\x81\x02hi\r\n\r\n")],
    ["a head without end", (socket) => socket.write(`HTTP/1.1 101 x\r\nA: ${"b".repeat(100_000)}`)],
    ["half a head", (socket) => socket.end("HTTP/1.1 401 Unauthorized\r\n")],
    ["nothing", (socket) => socket.end()],
    ["an injected line", (socket, request) => socket.write(acceptText(request, ["A: b\nC: d"]))],
    [
      "a field that may not stand twice",
      (socket) => socket.end("HTTP/1.1 400 x\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n"),
    ],
  ];

  it.each(improper)("%s resets the stream, and nothing comes through", async (_, write) => {
    const thrown = captureThrown();
    const { client, socket, request, stream, session } = await bridged();
    const failures: unknown[] = [];
    socket.on("error", (error) => failures.push(error));
    write(socket, request);
    const answer = await answerTo(client);
    expect(answer).toMatchObject({ status: undefined, body: "", rstCode: 2 });
    await expect.poll(() => [socket.destroyed, stream.destroyed]).toEqual([true, true]);
    expect(failures).toHaveLength(1);
    expect(session.destroyed).toBe(false);
    expect(thrown).toEqual([]);
  });

  it("that stops in the middle of its body resets the stream", async () => {
    const thrown = captureThrown();
    const { client, socket } = await bridged();
    socket.write("HTTP/1.1 400 x\r\nContent-Length: 10\r\n\r\nhalf");
    await headOf(client);
    socket.end();
    expect(await answerTo(client)).toMatchObject({ rstCode: 2 });
    expect(thrown).toEqual([]);
  });
});

describe("the ends", () => {
  it("a client that ends its side is heard out, and answered still", async () => {
    const { client, socket } = await opened();
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    client.end(clientFrame("last words"));
    await once(socket, "end");
    expect(Buffer.concat(chunks)).toEqual(clientFrame("last words"));
    expect(socket.writable).toBe(true);
    let text = "";
    client.on("data", (chunk) => {
      text += String(chunk);
    });
    const closed = once(socket, "close");
    socket.end("understood");
    expect(await closed).toEqual([false]);
    await expect.poll(() => text).toBe("understood");
    await expect.poll(() => client.rstCode).toBe(0);
  });

  it("a server that ends its side still hears the client", async () => {
    const { client, socket } = await opened();
    socket.end("enough");
    client.resume();
    await once(client, "end");
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    client.end(clientFrame("as you like"));
    const [hadError] = await once(socket, "close");
    expect(Buffer.concat(chunks)).toEqual(clientFrame("as you like"));
    expect(hadError).toBe(false);
  });

  it("what came before the end is kept for a reader who comes late", async () => {
    const { client, socket, stream } = await opened();
    client.resume();
    client.end(clientFrame("for later"));
    socket.end();
    await once(client, "close");
    expect(socket.destroyed).toBe(false);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks)).toEqual(clientFrame("for later"));
    await expect.poll(() => stream.destroyed).toBe(true);
  });

  it("destroy() ends both sides behind what was written", async () => {
    const { client, socket, stream } = await opened();
    socket.write("last words");
    socket.destroy();
    expect(await once(socket, "close")).toEqual([false]);
    expect(await answerTo(client)).toMatchObject({
      body: "last words",
      hasEnded: true,
      rstCode: 0,
    });
    await expect.poll(() => stream.destroyed).toBe(true);
  });

  it("destroy() while the client takes nothing is a reset", async () => {
    const { client, socket, stream } = await opened({ window: 1_000 });
    socket.write(Buffer.alloc(1e6));
    socket.destroy();
    expect(await answerTo(client)).toMatchObject({ rstCode: 8 });
    expect(stream.destroyed).toBe(true);
  });

  it("resetAndDestroy() is a reset", async () => {
    const { client, socket } = await opened();
    socket.resetAndDestroy();
    expect(await answerTo(client)).toMatchObject({ rstCode: 8 });
  });

  it("destroy() without an answer is a reset", async () => {
    const { client, socket } = await bridged();
    socket.destroy();
    expect(await answerTo(client)).toMatchObject({ status: undefined, rstCode: 8 });
  });

  it("destroy() behind its own end is none", async () => {
    const { client, socket } = await opened();
    client.resume();
    socket.end();
    await once(client, "end");
    socket.destroy();
    if (!client.destroyed) await once(client, "close");
    expect(client.rstCode).toBe(0);
  });

  it.each([
    ["CANCEL", 8],
    ["PROTOCOL_ERROR", 1],
  ])("a reset by %s is one of the connection, if somebody listens", async (_, code) => {
    const thrown = captureThrown();
    const { client, socket } = await opened();
    const failures: unknown[] = [];
    socket.on("error", (error) => failures.push(error));
    const closed = closeOf(socket);
    client.close(code);
    expect(await closed).toBe(true);
    expect(failures).toEqual([expect.objectContaining({ code: "ECONNRESET" })]);
    const quiet = await opened();
    const left = closeOf(quiet.socket);
    quiet.client.close(code);
    expect(await left).toBe(false);
    expect(thrown).toEqual([]);
  });

  it("a cut connection ends all its WebSockets, and not the process", async () => {
    const thrown = captureThrown();
    const { socket, session } = await opened();
    const closed = closeOf(socket);
    cut(session);
    await closed;
    expect(socket.destroyed).toBe(true);
    socket.write("too late", () => undefined);
    expect(thrown).toEqual([]);
  });

  it("what waits to be written hears of the end", async () => {
    const { client, socket } = await opened({ window: 1_000 });
    const written = new Promise((resolve) => socket.write(Buffer.alloc(1e6), resolve));
    socket.on("error", () => undefined);
    client.close(8);
    expect(await written).toBeInstanceOf(Error);
  });

  it("finished() and destroySoon() work as on sockets", async () => {
    const { client, socket } = await opened();
    client.resume();
    const over = finished(socket, { readable: false });
    socket.destroySoon();
    await over;
    await expect.poll(() => client.destroyed).toBe(true);
  });
});

describe("flow control", () => {
  const mebibytes = 8;

  it("a library that does not read stops the client", async () => {
    const { client, socket, stream } = await opened();
    const message = clientFrame(Buffer.alloc(mebibytes * 2 ** 20, "x"), 2);
    for (let at = 0; at < message.length; at += 2 ** 20) {
      client.write(message.subarray(at, at + 2 ** 20));
    }
    await expect.poll(() => stream.readableLength + socket.readableLength).toBeGreaterThan(60_000);
    await expect.poll(() => client.writableLength).toBeGreaterThan(2 ** 20);
    expect(stream.readableLength + socket.readableLength).toBeLessThan(2 ** 18);
    let bytes = 0;
    for await (const chunk of socket) {
      bytes += (chunk as Buffer).length;
      if (bytes === message.length) break;
    }
    expect(bytes).toBe(message.length);
  });

  it("a client that does not read stops the library", async () => {
    const { client, socket, stream } = await opened({ window: 10_000 });
    const chunk = Buffer.alloc(2 ** 14);
    let written = 0;
    while (socket.write(chunk)) written++;
    expect(written).toBeLessThan(20);
    expect(socket.writableNeedDrain).toBe(true);
    expect(stream.writableLength + socket.writableLength).toBeLessThan(2 ** 20);
    const drained = once(socket, "drain");
    client.resume();
    await drained;
  });

  it("megabytes come through a small window whole, in both directions at once", async () => {
    const server = offeringServer({ initialWindowSize: 4_096 });
    const { client, socket } = await opened({ server, window: 4_096 });
    const payload = Buffer.alloc(mebibytes * 2 ** 18);
    for (let at = 0; at < payload.length; at += 4) payload.writeUInt32BE(at, at);
    const sent = clientFrame(payload, 2);
    const collect = async (from: AsyncIterable<unknown>): Promise<Buffer> => {
      const chunks: Buffer[] = [];
      for await (const chunk of from) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    };
    const received = Promise.all([collect(client), collect(socket)]);
    client.end(sent);
    socket.end(sent);
    for (const bytes of await received) expect(bytes.equals(sent)).toBe(true);
  });
});

describe("what libraries ask of a socket", () => {
  it("is there, and touches nothing of the other streams", async () => {
    const { socket, request } = await opened({ server: await secureOfferingServer(), isTls: true });
    expect(socket.setNoDelay(true).setKeepAlive(true, 1_000).ref().unref()).toBe(socket);
    expect(socket).toMatchObject({
      remoteAddress: "127.0.0.1",
      remoteFamily: "IPv4",
      remotePort: expect.any(Number),
      localAddress: "127.0.0.1",
      localPort: expect.any(Number),
      connecting: false,
      pending: false,
      readyState: "open",
      allowHalfOpen: true,
    });
    expect(socket.address()).toMatchObject({ address: "127.0.0.1", family: "IPv4" });
    const tls = request.socket as TLSSocket;
    expect(tls).toMatchObject({ encrypted: true, authorized: false, alpnProtocol: "h2" });
    expect(tls.getProtocol()).toBe("TLSv1.3");
    expect(tls.getPeerCertificate()).toEqual({});
    expect(tls.getCipher()).toHaveProperty("name");
  });

  it("in clear has no word of TLS", async () => {
    const { socket } = await opened();
    expect(socket).not.toHaveProperty("encrypted");
    expect(socket).not.toHaveProperty("getPeerCertificate");
  });

  it("counts bytes", async () => {
    const { client, socket, request } = await opened();
    const before = Buffer.byteLength(acceptText(request));
    socket.write("12345");
    expect(socket.bytesWritten).toBe(before + 5);
    client.write("123");
    socket.resume();
    await expect.poll(() => socket.bytesRead).toBe(3);
  });

  it("keeps the address when the connection is gone, and then throws nothing", async () => {
    const { socket, session } = await opened({ server: await secureOfferingServer(), isTls: true });
    expect(socket.remoteAddress).toBe("127.0.0.1");
    const closed = once(socket, "close");
    session.close();
    socket.destroy();
    await closed;
    await expect.poll(() => (socket as TLSSocket).getProtocol() ?? undefined).toBeUndefined();
    expect(socket.remoteAddress).toBe("127.0.0.1");
    expect(socket.localAddress).toBeUndefined();
    expect(socket.readyState).toBe("closed");
  });

  it("setTimeout() tells of silence, once", async () => {
    const { socket } = await opened();
    let count = 0;
    socket.on("timeout", () => count++);
    await new Promise<void>((resolve) => socket.setTimeout(20, resolve));
    expect(count).toBe(1);
    expect(socket.timeout).toBe(20);
    expect(socket.setTimeout(0)).toBe(socket);
    expect(socket.destroyed).toBe(false);
  });
});

it("headers of the answer are Node's own otherwise", async () => {
  const { client, socket } = await bridged();
  socket.end("HTTP/1.1 403 x\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n");
  expect(textsOf(await headOf(client))).toEqual({
    ":status": 403,
    date: "Thu, 01 Jan 1970 00:00:00 GMT",
  });
});
