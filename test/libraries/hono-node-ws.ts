import type { IncomingMessage, Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { createNodeWebSocket } from "@hono/node-ws";
import { Hono } from "hono";
import { textFrame } from "../support/raw-client.ts";
import { nodeClient } from "./client.ts";
import type { Library } from "./library.ts";

export const hono: Library = {
  name: "@hono/node-ws",
  package: "@hono/node-ws",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const honoApp = new Hono<{ Bindings: { incoming: IncomingMessage } }>();
    const { injectWebSocket, upgradeWebSocket } = createNodeWebSocket({ app: honoApp });
    honoApp.get(
      "/chat",
      upgradeWebSocket((context) => ({
        onOpen: () => app.connected((context.env as { incoming: IncomingMessage }).incoming),
        onMessage: ({ data }, socket) => {
          const text = String(data);
          app.said(text);
          if (text === "leave") socket.close(4001, "left");
          else socket.send(text);
        },
        onClose: ({ code }) => app.left(code),
      })),
    );
    const server = createAdaptorServer(honoApp) as Server;
    prepare(server);
    injectWebSocket(server);
    return { server, close: () => server.close() };
  },
  connect: (port) => nodeClient(port, "/chat"),
  frameOf: textFrame,
  keepsClients: true,
  lacks: { shared: "it answers 404 itself to every path without a route" },
};
