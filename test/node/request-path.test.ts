import { once } from "node:events";
import { createServer, type Server } from "node:http";
import {
  allow,
  allowWith,
  attach,
  connectionOf,
  type GateOptions,
  guard,
  insecureAnyOrigin,
  type Policy,
  refuse,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { dial, handshakeText, refusalOf, statusOf } from "../support/raw-client.ts";
import {
  connectionsOf,
  deferred,
  echoing,
  echoOf,
  listen,
  openWebSocket,
} from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

/** As koa-easy-ws does it: nobody listens for upgrades, and the library accepts inside 'request'. */
async function requestServer(
  policy: Policy,
  options: GateOptions = {},
): Promise<{ server: Server; port: number; requests: string[] }> {
  const wss = echoing(new WebSocketServer({ noServer: true }));
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? "");
    if (request.headers.upgrade === undefined) return void response.end("page");
    wss.handleUpgrade(request, request.socket, Buffer.alloc(0), (socket) =>
      wss.emit("connection", socket, request),
    );
  });
  attach(server, policy, options);
  return { server, port: await listen(server), requests };
}

const open = guard(insecureAnyOrigin());

describe("where nobody listens for upgrades", () => {
  it.each([
    { name: "at once", policy: open },
    { name: "later", policy: guard(insecureAnyOrigin(), async () => allow) },
  ])(
    "an upgrade that is allowed $name reaches the library inside 'request'",
    async ({ policy }) => {
      const { port } = await requestServer(policy);
      expect(await echoOf(await openWebSocket(`ws://127.0.0.1:${port}/chat`), "hello")).toBe(
        "hello",
      );
    },
  );

  it.each([
    { name: "at once", policy: guard(insecureAnyOrigin(), () => refuse("forbidden")) },
    { name: "later", policy: guard(insecureAnyOrigin(), async () => refuse("forbidden")) },
  ])("one that is refused $name never reaches a request listener", async ({ policy }) => {
    const { port, requests, server } = await requestServer(policy);
    const answer = await refusalOf(port);
    expect(answer).toMatchObject({
      status: 403,
      headers: { connection: "close", "content-type": "application/problem+json" },
      body: expect.stringContaining('"forbidden"'),
    });
    expect(answer.body.length).toBe(Number(answer.headers["content-length"]));
    expect(requests).toEqual([]);
    await expect.poll(() => connectionsOf(server)).toBe(0);
  });

  it("ordinary requests go on as before", async () => {
    const { port, requests } = await requestServer(guard(() => refuse("forbidden")));
    expect(await (await fetch(`http://127.0.0.1:${port}/page`)).text()).toBe("page");
    expect(requests).toEqual(["/page"]);
  });

  it.each([
    { name: "Upgrade without Connection", headers: { Connection: undefined } },
    { name: "Upgrade with another Connection", headers: { Connection: "keep-alive" } },
    { name: "a list with websocket in it", headers: { Upgrade: "h2c, websocket" } },
    { name: "a list the other way round", headers: { Upgrade: "websocket, h2c" } },
    { name: "capitals", headers: { Upgrade: "WebSocket/13" } },
  ])("$name is refused, since some library might take it for a handshake", async ({ headers }) => {
    const { port, requests } = await requestServer(open);
    expect(await statusOf(port, { headers })).toBe(400);
    expect(requests).toEqual([]);
  });

  it("with a listener on upgrades, Upgrade without Connection is held on 'request' all the same", async () => {
    const { port, server, requests } = await requestServer(open);
    server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 101 x\r\n\r\n"));
    expect(await statusOf(port, { headers: { Connection: undefined } })).toBe(400);
    expect(await statusOf(port)).toBe(101);
    expect(requests).toEqual([]);
  });

  it("a client that resets during a slow check is dropped", async () => {
    const thrown = captureThrown();
    const entered = deferred<AbortSignal>();
    const { port, requests, server } = await requestServer(
      guard(insecureAnyOrigin(), (handshake) => {
        entered.resolve(handshake.signal);
        return new Promise(() => undefined);
      }),
    );
    const client = await dial(port);
    client.send(handshakeText());
    const signal = await entered.promise;
    client.reset();
    if (!signal.aborted) await once(signal, "abort");
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(requests).toEqual([]);
    expect(thrown).toEqual([]);
  });

  it("an undecided one is refused with 503", async () => {
    const { port } = await requestServer(
      guard(insecureAnyOrigin(), () => new Promise<never>(() => undefined)),
      {
        decisionTimeoutMs: 30,
      },
    );
    expect((await refusalOf(port)).body).toContain("decision_timeout");
  });

  it("answers stay in the order of pipelined requests", async () => {
    const slow = deferred<void>();
    const server = createServer(
      (_request, response) => void slow.promise.then(() => response.end("first")),
    );
    attach(
      server,
      guard(insecureAnyOrigin(), () => refuse("forbidden")),
    );
    const client = await dial(await listen(server));
    client.send(`GET / HTTP/1.1\r\nHost: localhost\r\n\r\n${handshakeText()}`);
    await once(server, "request");
    slow.resolve();
    const text = await client.closed;
    expect(text.indexOf("first")).toBeGreaterThan(0);
    expect(text.indexOf("HTTP/1.1 403")).toBeGreaterThan(text.indexOf("first"));
  });

  it("what one request's guard found does not stick to the next on the same connection", async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push(connectionOf(request).facts);
      response.end("not upgraded");
    });
    const known = guard(insecureAnyOrigin(), () => allowWith({ who: "ada" }));
    attach(server, { "/a": known, "/b": open });
    const client = await dial(await listen(server));
    client.send(handshakeText({ target: "/a", headers: { Connection: "upgrade, keep-alive" } }));
    await client.until("not upgraded");
    client.send(handshakeText({ target: "/b", headers: { Connection: "upgrade, keep-alive" } }));
    await expect.poll(() => seen.length).toBe(2);
    expect(seen).toEqual([{ who: "ada" }, {}]);
  });
});

it("Expect: 100-continue does not lead past the gate", async () => {
  const { port, requests } = await requestServer(
    guard(insecureAnyOrigin(), () => refuse("forbidden")),
  );
  const client = await dial(port);
  client.send(handshakeText({ headers: { Expect: "100-continue" } }));
  expect(await client.closed).toContain("403 Forbidden");
  expect(requests).toEqual([]);
});
