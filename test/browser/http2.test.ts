import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import { createSecureServer, type Http2ServerRequest } from "node:http2";
import {
  allow,
  attach,
  connectionOf,
  guard,
  type Handshake,
  type LimitsOptions,
  origin,
  refuse,
} from "@firmshake/node";
import type { Browser, Page } from "playwright-core";
import { Server as SocketIoServer } from "socket.io";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { makeCertificate } from "../support/certificate.ts";
import { requirement } from "../support/requirement.ts";
import { listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { chromiumPath, launch } from "./browser.ts";

const needed = requirement("chromium", chromiumPath);

describe.skipIf(needed.isMissing)("Chromium over HTTP/2", { timeout: 60_000 }, () => {
  let browser: Browser;
  const certificate = makeCertificate();

  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  /** A gated server of pages and WebSockets, and a page of it. */
  async function open(
    options: ConstructorParameters<typeof WebSocketServer>[0] = {},
    limits: LimitsOptions = {},
  ): Promise<{
    page: Page;
    wss: WebSocketServer;
    /** The handshakes that were asked for, and those that came as HTTP/1.1. */
    asked: Handshake[];
    upgrades: () => number;
  }> {
    const server = createSecureServer(
      { ...(await certificate), allowHTTP1: true, settings: { enableConnectProtocol: true } },
      (_request, response) => {
        response.setHeader("content-type", "text/html");
        response.end("<!doctype html><title>page</title>");
      },
    ) as unknown as Server;
    const asked: Handshake[] = [];
    const policy = guard(origin("same-origin"), (handshake) => {
      asked.push(handshake);
      return handshake.path === "/refused" ? refuse("forbidden") : allow;
    });
    // Beside the gate: Node's own upgrades of HTTP/1.1.
    let upgrades = 0;
    server.on("secureConnection", (socket) => {
      if (socket.alpnProtocol !== "h2") upgrades++;
    });
    attach(server, policy, { limits });
    const wss = new WebSocketServer({ server, ...options });
    const port = await listen(server);
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`https://localhost:${port}/`);
    return { page, wss, asked, upgrades: () => upgrades };
  }

  it("opens its WebSocket as a stream, and ws takes it", async () => {
    const thrown = captureThrown();
    const { page, wss, asked, upgrades } = await open();
    const connected = once(wss, "connection") as Promise<[unknown, IncomingMessage]>;
    wss.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const seen = await page.evaluate(async () => {
      const socket = new WebSocket(`wss://${location.host}/chat?room=1`, ["chat", "other"]);
      const opened = new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      });
      await opened;
      const answer = new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(data);
      });
      socket.send("hello");
      const echo = await answer;
      const closed = new Promise<CloseEvent>((resolve) => {
        socket.onclose = resolve;
      });
      const { protocol, extensions } = socket;
      socket.close(4_001, "enough");
      const { code, reason, wasClean } = await closed;
      return { protocol, extensions, echo, code, reason, wasClean };
    });
    expect(seen).toEqual({
      protocol: "chat",
      extensions: "",
      echo: "hello",
      code: 4_001,
      reason: "enough",
      wasClean: true,
    });
    const [, request] = await connected;
    expect(asked[0]).toMatchObject({
      method: "CONNECT",
      httpVersion: "2.0",
      target: "/chat?room=1",
    });
    expect(request.headers["user-agent"]).toContain("Chrome");
    expect(connectionOf(request)).toMatchObject({ path: "/chat" });
    expect(upgrades()).toBe(0);
    expect(thrown).toEqual([]);
  });

  it("is refused, and its page hears no more than that", async () => {
    const { page, wss, asked, upgrades } = await open();
    const code = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket(`wss://${location.host}/refused`);
          socket.onclose = (event) => resolve(event.code);
        }),
    );
    expect(code).toBe(1_006);
    expect(asked.map(({ httpVersion }) => httpVersion)).toEqual(["2.0"]);
    expect([wss.clients.size, upgrades()]).toEqual([0, 0]);
  });

  it("is closed by the server, with its code", async () => {
    const { page, wss } = await open();
    wss.on("connection", (socket) => socket.close(4_002, "go"));
    const closed = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket(`wss://${location.host}/chat`);
          socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
        }),
    );
    expect(closed).toEqual({ code: 4_002, reason: "go", wasClean: true });
    await expect.poll(() => wss.clients.size).toBe(0);
  });

  it("is cut off by terminate(), and the server is rid of a page that goes", async () => {
    const thrown = captureThrown();
    const { page, wss } = await open();
    wss.once("connection", (socket) => socket.terminate());
    const code = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket(`wss://${location.host}/chat`);
          socket.onclose = (event) => resolve(event.code);
        }),
    );
    expect(code).toBe(1_006);
    await page.evaluate(
      () =>
        new Promise((resolve) => {
          const socket = new WebSocket(`wss://${location.host}/chat`);
          socket.onopen = resolve;
        }),
    );
    expect(wss.clients.size).toBe(1);
    await page.close();
    await expect.poll(() => wss.clients.size).toBe(0);
    expect(thrown).toEqual([]);
  });

  it.each([
    ["as they are", {}],
    ["compressed", { perMessageDeflate: { threshold: 0 } }],
  ])("sends and gets big messages, %s", async (_, options) => {
    const limits = { maxMessageBytes: 2 ** 24, compression: "allow" } as const;
    const { page, wss } = await open({ ...options, maxPayload: 2 ** 24 }, limits);
    wss.on("connection", (socket) => {
      socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    });
    const seen = await page.evaluate(async () => {
      const socket = new WebSocket(`wss://${location.host}/chat`);
      socket.binaryType = "arraybuffer";
      await new Promise((resolve) => {
        socket.onopen = resolve;
      });
      const sent = Array.from({ length: 4 }, (_, index) =>
        new Uint8Array(2 ** 21).map((__, at) => (at * (index + 7)) >> 3),
      );
      const received: Uint8Array[] = [];
      const all = new Promise<void>((resolve) => {
        socket.onmessage = ({ data }) => {
          received.push(new Uint8Array(data as ArrayBuffer));
          if (received.length === sent.length) resolve();
        };
      });
      for (const bytes of sent) socket.send(bytes);
      await all;
      socket.close();
      return {
        isSame: received.every((bytes, index) =>
          bytes.every((byte, at) => byte === sent[index]?.[at]),
        ),
        lengths: received.map(({ length }) => length),
        extensions: socket.extensions,
      };
    });
    expect(seen.isSame).toBe(true);
    expect(seen.lengths).toEqual(Array(4).fill(2 ** 21));
    expect(seen.extensions.startsWith("permessage-deflate")).toBe("perMessageDeflate" in options);
  });

  it("opens many WebSockets on one connection", async () => {
    const { page, wss, asked } = await open();
    const ports = new Set<unknown>();
    wss.on("connection", (socket, request) => {
      ports.add(request.socket.remotePort);
      socket.on("message", (data) => socket.send(String(data)));
    });
    const echoes = await page.evaluate(() =>
      Promise.all(
        Array.from(
          { length: 30 },
          (_, index) =>
            new Promise((resolve) => {
              const socket = new WebSocket(`wss://${location.host}/chat`);
              socket.onopen = () => socket.send(String(index));
              socket.onmessage = ({ data }) => resolve(data);
            }),
        ),
      ),
    );
    expect(echoes).toEqual(Array.from({ length: 30 }, (_, index) => String(index)));
    expect(new Set(asked.map(({ httpVersion }) => httpVersion))).toEqual(new Set(["2.0"]));
    expect(ports.size).toBe(1);
  });

  it("does all of Socket.IO over it", async () => {
    const server = createSecureServer(
      { ...(await certificate), allowHTTP1: true, settings: { enableConnectProtocol: true } },
      (request: Http2ServerRequest, response) => {
        if (request.url.startsWith("/socket.io/")) return;
        response.setHeader("content-type", "text/html");
        response.end("<!doctype html><script src='/socket.io/socket.io.js'></script>");
      },
    ) as unknown as Server;
    const asked: Handshake[] = [];
    attach(server, {
      "/socket.io/*": guard(origin("same-origin"), (handshake) => {
        asked.push(handshake);
        return allow;
      }),
    });
    const io = new SocketIoServer(server);
    onTestFinished(() => void io.close());
    io.on("connection", (socket) => {
      socket.on("ask", (question, answer) => answer(`${question}!`, socket.conn.transport.name));
    });
    const port = await listen(server);
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    await page.goto(`https://localhost:${port}/`);
    const seen = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const { io: connect } = globalThis as unknown as {
            io: (options?: object) => {
              io: {
                engine: {
                  readonly transport: { readonly name: string };
                  on: (event: string, listener: () => void) => void;
                };
              };
              on: (event: string, listener: () => void) => void;
              emit: (event: string, ...rest: unknown[]) => void;
            };
          };
          const socket = connect();
          const ask = (): void =>
            socket.emit("ask", "works", (...answer: unknown[]) => resolve(answer));
          socket.on("connect", () => {
            const { engine } = socket.io;
            if (engine.transport.name === "websocket") ask();
            else engine.on("upgrade", ask);
          });
        }),
    );
    expect(seen).toEqual(["works!", "websocket"]);
    const ways = asked.map(({ httpVersion, transport }) => `${transport} by HTTP/${httpVersion}`);
    expect([...new Set(ways)]).toEqual(["polling by HTTP/2.0", "websocket by HTTP/2.0"]);
  });
});
