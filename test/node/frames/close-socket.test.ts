import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Duplex } from "node:stream";
import { attach, guard, insecureAnyOrigin } from "@firmshake/node";
import FayeWebSocket from "faye-websocket";
import { Server as SocketIoServer } from "socket.io";
import { io } from "socket.io-client";
import { describe, expect, it, onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { closeSocket } from "../../../packages/node/src/frames/close-socket.ts";
import { makeCertificate } from "../../support/certificate.ts";
import { offeringServer, openSession, openStream } from "../../support/http2.ts";
import { dial, handshakeText, type RawClient, textFrame } from "../../support/raw-client.ts";
import { connectionsOf, gatedServer, listen, openWebSocket } from "../../support/server.ts";
import { captureThrown } from "../../support/thrown.ts";

const open = guard(insecureAnyOrigin());
const revoked = Buffer.concat([Buffer.from([0x88, 9, 0x0b, 0xb8]), Buffer.from("revoked")]);
const revokedText = revoked.toString("latin1");
const accepts = "HTTP/1.1 101 Handed over\r\n\r\n";

/** A server with `ws` behind the gate, and what its application holds of each connection. */
async function gatedWsSockets(server: Server = createServer()) {
  attach(server, open);
  const opened: { readonly webSocket: WebSocket; readonly socket: Duplex }[] = [];
  const heard: string[] = [];
  const wss = new WebSocketServer({ server });
  wss.on("connection", (webSocket, { socket }) => {
    webSocket.on("message", (data) => heard.push(String(data)));
    opened.push({ webSocket, socket });
  });
  return { port: await listen(server), server, opened, heard };
}

/** A bare listener behind the gate, which has accepted one client. */
async function handedOver() {
  const { server, port, next } = await gatedServer(open);
  const upgrade = next();
  const client = await dial(port, { keepsOpen: true });
  client.send(handshakeText());
  const { socket } = await upgrade;
  await client.until(accepts);
  return { server, client, socket };
}

/** A handshake that was handed over, and a library that has not answered yet. */
async function unanswered(): Promise<{ client: RawClient; socket: Duplex }> {
  const server = createServer();
  attach(server, open);
  const sockets: Duplex[] = [];
  server.on("upgrade", (_request, socket: Duplex) => void sockets.push(socket));
  const client = await dial(await listen(server));
  client.send(handshakeText());
  await expect.poll(() => sockets.length).toBe(1);
  const [socket = expect.fail()] = sockets;
  return { client, socket };
}

describe("closeSocket tells the client, and ends", () => {
  it("ws: its client sees the code and the reason, its socket an ordinary close", async () => {
    const { port, server, opened } = await gatedWsSockets();
    const client = await openWebSocket(`ws://127.0.0.1:${port}/chat`);
    const closed = once(client, "close");
    const [{ webSocket, socket } = expect.fail()] = opened;
    const left = once(webSocket, "close");
    expect(closeSocket(socket, 3000, "revoked")).toBe(true);
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([3000, "revoked"]);
    expect((await left)[0]).toBe(1006);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("ws over TLS", async () => {
    const server = createSecureServer(await makeCertificate());
    const { port, opened } = await gatedWsSockets(server as unknown as Server);
    const client = await openWebSocket(`wss://127.0.0.1:${port}/chat`);
    const closed = once(client, "close");
    closeSocket(opened[0]?.socket ?? expect.fail(), 3000, "revoked");
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([3000, "revoked"]);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("ws over HTTP/2: the stream ends, the connection stays", async () => {
    const { port, opened } = await gatedWsSockets(offeringServer());
    const session = await openSession(port);
    const { stream } = await openStream(session);
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    const closed = once(stream, "close");
    closeSocket(opened[0]?.socket ?? expect.fail(), 3000, "revoked");
    await closed;
    expect(Buffer.concat(chunks)).toEqual(revoked);
    const again = await openStream(session);
    expect(again.headers[":status"]).toBe(200);
  });

  it("faye-websocket", async () => {
    const server = createServer();
    attach(server, open);
    const sockets: Duplex[] = [];
    const ends: number[] = [];
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      const webSocket = new FayeWebSocket(request, socket as never, head, []);
      webSocket.onopen = () => void sockets.push(socket);
      webSocket.onclose = ({ code }) => void ends.push(code);
    });
    const client = await openWebSocket(`ws://127.0.0.1:${await listen(server)}/chat`);
    const closed = once(client, "close");
    await expect.poll(() => sockets.length).toBe(1);
    closeSocket(sockets[0] ?? expect.fail(), 3000, "revoked");
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([3000, "revoked"]);
    await expect.poll(() => ends).toEqual([1006]);
  });

  it("Socket.IO: the application hears of a transport that closed", async () => {
    const server = createServer();
    attach(server, open);
    const io_ = new SocketIoServer(server);
    const left: string[] = [];
    const sockets: Duplex[] = [];
    io_.on("connection", (socket) => {
      sockets.push(socket.request.socket);
      socket.on("disconnect", (reason) => left.push(reason));
    });
    const client = io(`http://127.0.0.1:${await listen(server)}`, {
      transports: ["websocket"],
      reconnection: false,
    });
    onTestFinished(() => void client.close());
    const gone = new Promise((resolve) => client.on("disconnect", resolve));
    await expect.poll(() => sockets.length).toBe(1);
    closeSocket(sockets[0] ?? expect.fail(), 3000, "revoked");
    await gone;
    await expect.poll(() => left).toEqual(["transport close"]);
  });

  it("a socket that no gate has seen", async () => {
    const server = createServer();
    const sockets: Duplex[] = [];
    server.on("upgrade", (_request, socket: Duplex) => {
      socket.write(accepts);
      sockets.push(socket);
    });
    const client = await dial(await listen(server));
    client.send(handshakeText());
    await client.until(accepts);
    closeSocket(sockets[0] ?? expect.fail(), 3000, "revoked");
    expect(await client.closed).toBe(accepts + revokedText);
  });
});

describe("closeSocket never speaks within a frame", () => {
  const frame = Buffer.concat([Buffer.from([0x82, 126, 1, 0]), Buffer.alloc(256, "x")]);
  const cuts = [1, 2, 3, 4, 5, 259];

  it.each(cuts)("a frame of which %i bytes were written is finished first", async (cut) => {
    const { client, socket } = await handedOver();
    socket.write(frame.subarray(0, cut));
    expect(closeSocket(socket, 3000, "revoked")).toBe(true);
    // The rest comes together with a frame that must not leave.
    socket.write(Buffer.concat([frame.subarray(cut), frame]));
    socket.write(frame);
    expect(await client.ended).toBe(accepts + frame.toString("latin1") + revokedText);
  });

  it("a frame whose header is written alone, while the socket is corked", async () => {
    const { client, socket } = await handedOver();
    socket.cork();
    socket.write(frame.subarray(0, 4));
    closeSocket(socket, 3000, "revoked");
    socket.write(frame.subarray(4));
    socket.uncork();
    expect(await client.ended).toBe(accepts + frame.toString("latin1") + revokedText);
  });

  it("the answer to the handshake is finished first", async () => {
    const { client, socket } = await unanswered();
    expect(closeSocket(socket, 3000, "revoked")).toBe(true);
    for (const piece of ["HTTP/1.1 1", "01 Switching Protocols\r\n\r", "\n"]) socket.write(piece);
    socket.write(frame);
    expect(await client.closed).toBe(`HTTP/1.1 101 Switching Protocols\r\n\r\n${revokedText}`);
  });

  it("an answer that accepts nothing stays as it is", async () => {
    const { client, socket } = await unanswered();
    closeSocket(socket, 3000, "revoked");
    const answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
    socket.end(answer);
    expect(await client.closed).toBe(answer);
  });

  it("a frame that is never finished is cut off after a second", async () => {
    const { client, socket } = await handedOver();
    socket.write(frame.subarray(0, 100));
    closeSocket(socket, 3000, "revoked");
    expect(await client.ended).toBe(accepts + frame.subarray(0, 100).toString("latin1"));
    expect(socket.destroyed).toBe(true);
  });

  it("behind the library's own close frame none is sent", async () => {
    const { client, socket } = await handedOver();
    socket.write(Buffer.from([0x88, 2, 3, 232]));
    closeSocket(socket, 3000, "revoked");
    expect(await client.ended).toBe(`${accepts}\x88\x02\x03\xe8`);
  });
});

describe("after closeSocket", () => {
  it("nothing that the library writes leaves, and it is told that all went well", async () => {
    const { client, socket } = await handedOver();
    const failed: unknown[] = [];
    socket.on("error", (error) => failed.push(error));
    closeSocket(socket, 3000, "revoked");
    const called = new Promise((resolve) => socket.write("late", resolve));
    expect(socket.write(Buffer.from("later"))).toBe(true);
    expect(await called).toBeUndefined();
    await new Promise<void>((resolve) => void socket.end("last", () => resolve()));
    expect(await client.ended).toBe(accepts + revokedText);
    expect(failed).toEqual([]);
  });

  it("nothing that the client sends comes in", async () => {
    const { port, opened, heard } = await gatedWsSockets();
    const client = await dial(port);
    client.send(handshakeText());
    await client.until("\r\n\r\n");
    client.send(textFrame("before"));
    await expect.poll(() => heard).toEqual(["before"]);
    client.send(textFrame("late"));
    closeSocket(opened[0]?.socket ?? expect.fail(), 3000, "revoked");
    client.send(textFrame("later"));
    await client.closed;
    expect(heard).toEqual(["before"]);
  });

  it("what had come but was not read is dropped", async () => {
    const { client, socket } = await handedOver();
    const heard: string[] = [];
    socket.on("data", (chunk) => heard.push(String(chunk)));
    socket.pause();
    client.send(textFrame("waiting"));
    await expect.poll(() => socket.readableLength).toBeGreaterThan(0);
    closeSocket(socket, 3000, "revoked");
    client.socket.end();
    await once(socket, "close");
    expect(heard).toEqual([]);
  });

  it("it is closed once: the first code counts", async () => {
    const { client, socket } = await handedOver();
    expect(closeSocket(socket, 3000, "revoked")).toBe(true);
    expect(closeSocket(socket, 1001, "other")).toBe(false);
    expect(await client.ended).toBe(accepts + revokedText);
    await once(socket, "close");
    expect(closeSocket(socket, 1001, "other")).toBe(false);
  });

  it("a client that neither reads nor leaves is cut off after a second", async () => {
    const { port, server, opened } = await gatedWsSockets();
    const client = await dial(port, { isDeaf: true, keepsOpen: true });
    client.send(handshakeText());
    await expect.poll(() => opened.length).toBe(1);
    const [{ webSocket, socket } = expect.fail()] = opened;
    webSocket.send(Buffer.alloc(16_777_216));
    closeSocket(socket, 3000, "revoked");
    await once(socket, "close");
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("a client that resets ends nothing but itself", async () => {
    const thrown = captureThrown();
    const { server, client, socket } = await handedOver();
    closeSocket(socket, 3000, "revoked");
    client.reset();
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(thrown).toEqual([]);
  });

  it("a long reason is cut", async () => {
    const { client, socket } = await handedOver();
    closeSocket(socket, 3000, "r".repeat(200));
    expect(await client.ended).toBe(`${accepts}\x88\x7d\x0b\xb8${"r".repeat(123)}`);
  });
});
