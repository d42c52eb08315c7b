import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is served, and how a client of it gets in. */
const origin = (port) => `http://127.0.0.1:${port}`;

/** Vite's HMR socket: everybody's at the affected version, later for who has the page's token (CVE-2025-24010). */
async function startVite(name) {
  const { createServer: createVite } = await import(name);
  const root = folderWith("index.html", "<script type=module src=/main.js></script>");
  const vite = await createVite({
    root: root.path,
    logLevel: "silent",
    server: { port: 0, host: "127.0.0.1" },
    cacheDir: join(root.path, ".cache"),
    configFile: false,
    optimizeDeps: { noDiscovery: true },
  });
  await vite.listen();
  const { port } = vite.httpServer.address();
  const client = await (await fetch(`${origin(port)}/@vite/client`)).text();
  const token = /const wsToken = "([^"]+)"/.exec(client)?.[1];
  return {
    server: vite.httpServer,
    url: `ws://127.0.0.1:${port}/${token === undefined ? "" : `?token=${token}`}`,
    options: { origin: origin(port), protocols: ["vite-hmr"] },
    stop: async () => {
      await vite.close();
      root.remove();
    },
  };
}

/** webpack-dev-server's HMR socket: it answers 101 to everybody, and says no afterwards (CVE-2025-30360). */
async function startWebpack(name, bundler = "webpack") {
  const { default: webpack } = await import(bundler);
  const { default: DevServer } = await import(name);
  const root = folderWith("main.js", "console.log(1)");
  const compiler = webpack({
    mode: "development",
    context: root.path,
    entry: "./main.js",
    output: { path: join(root.path, "dist") },
    infrastructureLogging: { level: "none" },
    stats: "none",
  });
  const dev = new DevServer({ port: 0, host: "127.0.0.1" }, compiler);
  await dev.start();
  const { port } = dev.server.address();
  return {
    server: dev.server,
    url: `ws://127.0.0.1:${port}/ws`,
    options: { origin: origin(port) },
    stop: async () => {
      await dev.stop();
      root.remove();
    },
  };
}

async function startWs(name) {
  const { WebSocketServer } = await import(name);
  const server = createServer();
  new WebSocketServer({ server }).on("connection", (socket) => {
    socket.on("error", () => undefined);
    socket.on("message", (text) => socket.send(text));
  });
  return listening(server, "/");
}

/** Its sockets have no listener for errors: a malformed frame ends the process. */
async function startExpressWs() {
  const { default: express } = await import("express");
  const { default: expressWs } = await import("express-ws");
  const app = express();
  const server = createServer(app);
  expressWs(app, server);
  app.ws("/chat", (socket) => socket.on("message", (text) => socket.send(text)));
  return listening(server, "/chat");
}

/** What its own `cors` says is not for WebSockets; `allowRequest` is. */
async function startSocketIo(isRestricted) {
  const { Server } = await import("socket.io");
  const server = createServer();
  const allowed = new Set();
  const allowRequest = ({ headers }, answer) => answer(null, allowed.has(headers.origin));
  new Server(server, isRestricted ? { allowRequest } : {});
  const started = await listening(server, "/socket.io/");
  allowed.add(started.options.origin);
  return started;
}

async function listening(server, path) {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    server,
    url: `ws://127.0.0.1:${port}${path}`,
    options: { origin: origin(port) },
  };
}

function folderWith(name, text) {
  const path = mkdtempSync(join(tmpdir(), "firmshake-known-"));
  writeFileSync(join(path, name), text);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** By name: what to import, how to start it, and what the audit must say. */
export const servers = {
  "vite 5.4.11": {
    start: () => startVite("vite-affected"),
    client: "greeted",
    expected: { "WS-ORIGIN-1": "fail", "WS-ORIGIN-2": "fail", "WS-INFO-3": "fail" },
  },
  "vite 5.4.21": {
    start: () => startVite("vite-repaired"),
    client: "greeted",
    expected: { "WS-ORIGIN-1": "pass", "WS-ORIGIN-2": "pass", "WS-INFO-3": "pass" },
  },
  "webpack-dev-server 5.2.0": {
    start: () => startWebpack("webpack-dev-server-affected"),
    client: "greeted",
    expected: { "WS-ORIGIN-1": "pass", "WS-ORIGIN-4": "fail" },
  },
  "webpack-dev-server 5.2.7": {
    start: () => startWebpack("webpack-dev-server-repaired"),
    client: "greeted",
    expected: { "WS-ORIGIN-1": "pass", "WS-ORIGIN-4": "pass" },
  },
  "ws 8.16.0": {
    start: () => startWs("ws-8.16"),
    client: "echoed",
    intrusive: true,
    expected: { "WS-HS-7": "fail" },
    severities: { "WS-HS-7": "high" },
  },
  "ws 8.23.0": {
    start: () => startWs("ws"),
    client: "echoed",
    intrusive: true,
    expected: { "WS-HS-7": "fail", "WS-FRAME-3": "pass", "WS-FRAME-4": "pass" },
    severities: { "WS-HS-7": "low" },
  },
  "express-ws 5.0.2": {
    start: startExpressWs,
    client: "echoed",
    intrusive: true,
    expected: { "WS-ORIGIN-1": "fail", "WS-FRAME-3": "fail" },
  },
  "Socket.IO 4.8, as it comes": {
    start: () => startSocketIo(false),
    client: "socket.io",
    intrusive: true,
    expected: { "WS-ORIGIN-1": "fail", "WS-ORIGIN-2": "fail", "WS-FRAME-3": "pass" },
  },
  "Socket.IO 4.8, allowRequest": {
    start: () => startSocketIo(true),
    client: "socket.io",
    intrusive: true,
    expected: { "WS-ORIGIN-1": "pass", "WS-ORIGIN-2": "pass", "WS-FRAME-3": "pass" },
  },
};
