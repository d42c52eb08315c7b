import { createServer, type Server } from "node:http";
import type { AuditOptions, CheckId } from "@firmshake/audit";
import { attach as attachExpress, guard as guardExpress } from "@firmshake/express";
import { attach, guard, host, maxConnections, origin, rateLimit } from "@firmshake/node";
import express from "express";
import expressWs from "express-ws";
import { type ServerOptions, Server as SocketIoServer } from "socket.io";
import { io } from "socket.io-client";
import { describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";
import { WebSocketServer as OldServer } from "ws-8.16";
import { listen, openWebSocket } from "../support/server.ts";
import { apart, whenFinished } from "../support/test-scope.ts";
import { auditBriskly, findingOf, gravely } from "./findings.ts";
import { type MortalServer, startMortal } from "./mortal-server.ts";

const appOrigin = "https://app.example.com";
/** The limits are wide enough for the audit, and narrow enough for its floods. */
const checks = () =>
  [
    origin([appOrigin]),
    host(["127.0.0.1"]),
    rateLimit({ limit: 40, windowMs: 2_000 }),
    maxConnections({ perAddress: 20 }),
  ] as const;

describe.concurrent("packages with known weaknesses", () => {
  it.for<readonly [MortalServer, CheckId, string]>([
    ["express-ws", "WS-FRAME-3", "A malformed frame ended the process."],
    ["ws-8.16", "WS-HS-7", "A flood of header lines ended the process."],
    ["malformed-header", "WS-HS-3", "A malformed header ended the process."],
  ])(
    "%s dies of %s, and that is said",
    apart(async ([name, id, sentence]) => {
      const { url, hasDied } = await startMortal(name);
      const report = await auditBriskly(url, { only: [id, "WS-RATE-1"], intrusive: true });
      const finding = report.findings.find((one) => one.id === id);
      expect(finding).toMatchObject({ verdict: "fail", severity: "high" });
      expect(finding?.reason).toContain(sentence);
      expect(report.summary).toMatchObject({ endedBy: [id], cutShort: "server-gone" });
      await vi.waitFor(() => expect(hasDied()).toBe(true));
      const other = report.findings.find((one) => one.id === "WS-RATE-1");
      expect(other?.verdict).toBe("inconclusive");
    }),
  );

  it.for<readonly [MortalServer, CheckId]>([
    ["express-ws", "WS-FRAME-3"],
    ["malformed-header", "WS-HS-3"],
  ])(
    "%s is spared %s unless it may be ended",
    apart(async ([name, id]) => {
      const { url, hasDied } = await startMortal(name);
      const report = await auditBriskly(url);
      expect(report.findings.find((one) => one.id === id)?.verdict).toBe("skipped");
      expect(report.summary.endedBy).toEqual([]);
      expect(hasDied()).toBe(false);
    }),
  );

  it(
    "ws 8.23 survives the flood of headers",
    apart(async () => {
      const finding = await findingOf(await serve(wsServer(WebSocketServer)), "WS-HS-7", {
        intrusive: true,
      });
      expect(finding).toMatchObject({ verdict: "fail", severity: "low" });
      expect(finding.reason).toContain("accepted");
    }),
  );

  it(
    "Socket.IO lets in every origin, cors or not",
    apart(async () => {
      const url = await serve(socketIo({ cors: { origin: appOrigin } }), "/socket.io/");
      expect(await findingOf(url, "WS-ORIGIN-1", { origin: appOrigin })).toMatchObject({
        verdict: "fail",
        severity: "critical",
      });
    }),
  );

  it(
    "Socket.IO with allowRequest passes",
    apart(async () => {
      const allowRequest: ServerOptions["allowRequest"] = ({ headers }, answer) =>
        answer(null, headers.origin === appOrigin);
      const url = await serve(socketIo({ allowRequest }), "/socket.io/");
      const ids: readonly CheckId[] = ["WS-ORIGIN-1", "WS-ORIGIN-2", "WS-ORIGIN-7", "WS-INFO-3"];
      const { baseline, findings } = await auditBriskly(url, { origin: appOrigin, only: ids });
      expect(baseline).toMatchObject({ isAccepted: true, stack: { dialect: "engine.io" } });
      expect(findings.map(({ verdict }) => verdict)).toEqual(["pass", "pass", "pass", "pass"]);
    }),
  );

  it(
    "Socket.IO's own middleware is told from letting in",
    apart(async () => {
      const url = await serve(
        socketIo({}, (server) =>
          server.use((socket, next) =>
            next(socket.handshake.auth.token === "t0k3n-of-alice" ? undefined : new Error("no")),
          ),
        ),
        "/socket.io/",
      );
      const { findings } = await auditBriskly(url, {
        connectPayload: { token: "t0k3n-of-alice" },
        only: ["WS-AUTH-1", "WS-AUTH-2"],
      });
      expect(findings).toMatchObject([{ verdict: "pass" }, { verdict: "pass" }]);
      expect(JSON.stringify(findings)).not.toContain("t0k3n-of-alice");
    }),
  );
});

describe.concurrent("with the gate in front nothing grave is left, and the client still works", {
  timeout: 60_000,
}, () => {
  it(
    "ws",
    apart(async () => {
      const server = wsServer(WebSocketServer);
      attach(server, guard(...checks()));
      await expectFirm(await serve(server));
    }),
  );

  it(
    "ws 8.16, which dies without",
    apart(async () => {
      const server = wsServer(OldServer);
      attach(server, guard(...checks()));
      await expectFirm(await serve(server));
    }),
  );

  it(
    "express-ws, which dies without",
    apart(async () => {
      const app = express();
      const server = createServer(app);
      expressWs(app, server);
      app.use("/chat", guardExpress(...checks()));
      const routes = app as unknown as {
        ws: (path: string, onSocket: (socket: NodeJS.EventEmitter) => void) => void;
      };
      routes.ws("/chat", () => undefined);
      attachExpress(server, app);
      await expectFirm(await serve(server));
    }),
  );

  it(
    "Socket.IO",
    apart(async () => {
      const server = socketIo({});
      attach(server, guard(...checks()));
      const url = await serve(server, "/socket.io/");
      const report = await auditBriskly(url, { origin: appOrigin, intrusive: true });
      expect(report.baseline.isAccepted, report.baseline.reason).toBe(true);
      expect(gravely(report)).toEqual([]);
      const client = io(url.replace(/^ws/, "http").replace("/socket.io/", ""), {
        transports: ["websocket"],
        extraHeaders: { Origin: appOrigin },
      });
      whenFinished(() => void client.close());
      await vi.waitFor(() => expect(client.connected).toBe(true), patience);
    }),
  );
});

/** Until the audit's own floods are forgotten. */
const patience = { timeout: 8_000, interval: 500 };

async function expectFirm(url: string, options: AuditOptions = {}): Promise<void> {
  const report = await auditBriskly(url, { origin: appOrigin, intrusive: true, ...options });
  expect(report.baseline.isAccepted, report.baseline.reason).toBe(true);
  expect(report.summary.endedBy).toEqual([]);
  expect(gravely(report)).toEqual([]);
  await vi.waitFor(async () => {
    const { readyState } = await openWebSocket(url, [], { origin: appOrigin });
    expect(readyState).toBe(1);
  }, patience);
}

function socketIo(
  options: Partial<ServerOptions>,
  prepare: (server: SocketIoServer) => void = () => undefined,
): Server {
  const server = createServer();
  const library = new SocketIoServer(server, options);
  prepare(library);
  whenFinished(() => void library.disconnectSockets(true));
  return server;
}

function wsServer(Library: typeof WebSocketServer): Server {
  const server = createServer();
  new Library({ server }).on("connection", (socket) => socket.on("error", () => undefined));
  return server;
}

const serve = async (server: Server, path = "/chat"): Promise<string> =>
  `ws://127.0.0.1:${await listen(server)}${path}`;
