import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import { converse } from "./converse.ts";
import type { Library } from "./library.ts";

const common = {
  package: "ws",
  path: "/chat",
  target: "/chat",
  connect: (port: number) => wsClient(port, "/chat"),
  frameOf: textFrame,
  keepsClients: true,
} as const;

export const wsWithServer: Library = {
  ...common,
  name: "ws, `{ server }`",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const wss = new WebSocketServer({ server, path: "/chat" });
    wss.on("connection", (socket, request) => converse(app, socket, request));
    const close = (): void => {
      wss.close();
      server.close();
    };
    return { server, close };
  },
  lacks: { shared: "it answers 400 itself to every path but its own" },
};

export const wsWithoutServer: Library = {
  ...common,
  name: "ws, `{ noServer }`",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const wss = new WebSocketServer({ noServer: true });
    server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/chat") return;
      wss.handleUpgrade(request, socket, head, (one) => wss.emit("connection", one, request));
    });
    wss.on("connection", (socket, request) => converse(app, socket, request));
    return { server, close: () => server.close() };
  },
  lacks: {},
};
