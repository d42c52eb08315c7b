import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createServer as createH2cServer,
  createSecureServer,
  type Http2Server,
} from "node:http2";
import { createServer } from "node:https";
import {
  allow,
  allowWith,
  attach,
  connectionOf,
  guard,
  insecureAnyOrigin,
  refuse,
  secure,
} from "@firmshake/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { makeCertificate } from "../support/certificate.ts";
import { thrownBy } from "../support/handshakes.ts";
import { dial, handshakeText, refusalOf, statusOf } from "../support/raw-client.ts";
import {
  connectionsOf,
  deferred,
  echoOf,
  gatedServer,
  gatedWs,
  listen,
  openWebSocket,
} from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const certificate = await makeCertificate();

describe("over TLS", () => {
  it("wss works, and the handshake knows of the TLS under it", async () => {
    const policy = guard(insecureAnyOrigin(), secure(), ({ tls, scheme }) =>
      allowWith({
        scheme,
        protocol: tls?.protocol,
        name: tls?.serverName,
        isClientAuthorized: tls?.isClientAuthorized,
      }),
    );
    const { port, wss } = await gatedWs(policy, {}, createServer(certificate));
    const facts = deferred<object>();
    wss.on("connection", (_socket, request) => facts.resolve(connectionOf(request, policy).facts));
    const socket = await openWebSocket(`wss://localhost:${port}/chat`, [], { family: 4 });
    expect(await echoOf(socket, "hello")).toBe("hello");
    expect(await facts.promise).toEqual({
      scheme: "wss",
      protocol: "TLSv1.3",
      name: "localhost",
      isClientAuthorized: false,
    });
  });

  it("a refusal arrives whole, and the socket goes", async () => {
    const { port, server } = await gatedServer(
      guard(insecureAnyOrigin(), async () => refuse("forbidden")),
      {},
      createServer(certificate),
    );
    const answer = await refusalOf(port, {}, { isTls: true });
    expect(answer).toMatchObject({ status: 403, headers: { connection: "close" } });
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
  });

  it("a client that resets during a slow check harms nobody", async () => {
    const thrown = captureThrown();
    const entered = deferred<AbortSignal>();
    const { port, server } = await gatedServer(
      guard(insecureAnyOrigin(), ({ signal }) => {
        entered.resolve(signal);
        return new Promise(() => undefined);
      }),
      {},
      createServer(certificate),
    );
    const client = await dial(port, { isTls: true });
    client.send(handshakeText());
    const signal = await entered.promise;
    client.reset();
    if (!signal.aborted) await once(signal, "abort");
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(thrown).toEqual([]);
  });

  it("denied peers are cut before the TLS handshake", async () => {
    const server = createServer(certificate);
    let handshakes = 0;
    server.on("secureConnection", () => handshakes++).on("tlsClientError", () => handshakes++);
    attach(server, guard(), { denyPeers: ["loopback"] });
    const client = await dial(await listen(server));
    expect(await client.closed).toBe("");
    expect(handshakes).toBe(0);
  });

  it("plain ws is refused by secure()", async () => {
    const { port } = await gatedServer(guard(insecureAnyOrigin(), secure()));
    expect((await refusalOf(port)).body).toContain("tls_required");
  });
});

describe("HTTP/2", () => {
  const policy = guard(insecureAnyOrigin(), () => allow);
  const offering = { ...certificate, allowHTTP1: true, settings: { enableConnectProtocol: true } };

  it.each([
    { name: "over TLS", make: () => createSecureServer(offering) },
    {
      name: "in clear",
      make: () => createH2cServer({ settings: { enableConnectProtocol: true } }),
    },
    {
      name: "by updateSettings",
      make: () => {
        const server = createSecureServer({ ...certificate, allowHTTP1: true });
        server.updateSettings({ enableConnectProtocol: true });
        return server;
      },
    },
  ])("a server that offers WebSockets as streams $name is refused", ({ make }) => {
    const server = make();
    expect(thrownBy(() => attach(server, policy))).toMatch(
      /enableConnectProtocol.*\(ERR_FIRMSHAKE_HTTP2_UNGUARDED\)/,
    );
    expect(Object.hasOwn(server, "emit")).toBe(false);
  });

  it("a server that does not is gated on its HTTP/1.1 upgrades", async () => {
    let answer: typeof allow | ReturnType<typeof refuse> = allow;
    const server = createSecureServer({
      ...certificate,
      allowHTTP1: true,
      settings: { enableConnectProtocol: false },
    });
    const { port } = await gatedWs(
      guard(insecureAnyOrigin(), () => answer),
      {},
      server as never,
    );
    const socket = await openWebSocket(`wss://localhost:${port}/chat`, [], { family: 4 });
    expect(await echoOf(socket, "hello")).toBe("hello");
    answer = refuse("forbidden");
    expect(await statusOf(port, {}, { isTls: true })).toBe(403);
  });

  async function session(server: Http2Server): Promise<ClientHttp2Session> {
    const port = await listen(server);
    const client = connect(`http://127.0.0.1:${port}`);
    onTestFinished(() => client.destroy());
    client.on("error", () => undefined);
    await once(client, "remoteSettings");
    return client;
  }

  const extendedConnect = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/chat",
    ":authority": "localhost",
    "sec-websocket-version": "13",
  };

  it("an extended CONNECT that comes all the same is answered 501 and seen by nobody", async () => {
    const server = createH2cServer();
    attach(server, policy);
    const seen: string[] = [];
    for (const name of ["stream", "request", "connect"]) server.on(name, () => seen.push(name));
    server.updateSettings({ enableConnectProtocol: true });
    const client = await session(server);
    const stream = client.request(extendedConnect);
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(headers[":status"]).toBe(501);
    expect(seen).toEqual([]);
    stream.close();
  });

  /** A frame (RFC 9113 §4.1); header fields are literals that are not indexed (RFC 7541 §6.2.2). */
  const frame = (type: number, flags: number, stream: number, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.from([0, 0, payload.length, type, flags, 0, 0, 0, stream]), payload]);
  const literal = (text: string): Buffer =>
    Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
  const fields = Buffer.concat(
    Object.entries(extendedConnect).map(([name, value]) =>
      Buffer.concat([Buffer.from([0]), literal(name), literal(value)]),
    ),
  );

  it("one that is reset in the same breath ends nothing", async () => {
    const thrown = captureThrown();
    const server = createH2cServer();
    attach(server, policy);
    server.updateSettings({ enableConnectProtocol: true });
    const port = await listen(server);
    const client = await dial(port);
    const [settings, acknowledge] = [
      frame(4, 0, 0, Buffer.alloc(0)),
      frame(4, 1, 0, Buffer.alloc(0)),
    ];
    client.send(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings]));
    await expect.poll(() => client.received().length).toBeGreaterThan(9);
    const [headers, reset] = [frame(1, 4, 1, fields), frame(3, 0, 1, Buffer.from([0, 0, 0, 8]))];
    client.send(
      Buffer.concat([acknowledge, headers, reset, frame(6, 0, 0, Buffer.from("pingpong"))]),
    );
    await client.until("pingpong");
    client.send(frame(1, 4, 3, fields));
    // 501 in the Huffman code of RFC 7541: the session is alive and answers.
    await client.until("\u006c\u0001");
    expect(thrown).toEqual([]);
  });

  it("ordinary streams and plain CONNECT go on as before", async () => {
    const server = createH2cServer((_request, response) => void response.end("page"));
    server.on("connect", (_request, response) => {
      response.writeHead(405);
      response.end();
    });
    attach(server, policy);
    const client = await session(server);
    const page = client.request({ ":path": "/" });
    let text = "";
    for await (const chunk of page) text += String(chunk);
    expect(text).toBe("page");
    const tunnel = client.request({ ":method": "CONNECT", ":authority": "localhost:1" });
    const [headers] = (await once(tunnel, "response")) as [Record<string, unknown>];
    expect(headers[":status"]).toBe(405);
    tunnel.close();
  });
});
