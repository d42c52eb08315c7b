/**
 * A process with a server that a single client can end. Says its URL and lives until it is killed, or dies of what it is sent.
 *
 *     node test/audit/known/mortal-server.mjs express-ws|ws-8.16|malformed-header
 */
import { createServer } from "node:http";
import express from "express";
import expressWs from "express-ws";
import { WebSocketServer } from "ws";
import { WebSocketServer as OldServer } from "ws-8.16";

const servers = {
  /** Of express-ws 5.0.2: nobody listens to the error event of its sockets. */
  "express-ws": () => {
    const app = express();
    const server = createServer(app);
    expressWs(app, server);
    app.ws("/chat", (socket) => socket.on("message", (text) => socket.send(text)));
    return server;
  },
  /** CVE-2024-37890. */
  "ws-8.16": () => withWebSockets(OldServer),
  /** As webpack-dev-server did up to 5.2.5 (CVE-2026-14631). */
  "malformed-header": () => {
    const server = withWebSockets(WebSocketServer);
    server.prependListener("upgrade", ({ headers }) => {
      if (headers.origin?.startsWith("http")) new URL(headers.origin);
    });
    return server;
  },
};

function withWebSockets(WebSocketServer) {
  const server = createServer();
  new WebSocketServer({ server }).on("connection", (socket) => socket.on("error", () => undefined));
  return server;
}

const server = servers[process.argv[2]]();
server.listen(0, "127.0.0.1", () => {
  console.log(`ws://127.0.0.1:${server.address().port}/chat`);
});
