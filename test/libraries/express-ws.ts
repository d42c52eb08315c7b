import { createServer } from "node:http";
import express from "express";
import expressWs from "express-ws";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import { converse, type WsSocket } from "./converse.ts";
import type { Library } from "./library.ts";

type Route = (path: string, handler: (socket: WsSocket, request: object) => void) => void;

export const expressWsLibrary: Library = {
  name: "express-ws",
  package: "express-ws",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const expressApp = express();
    const server = createServer(expressApp);
    prepare(server);
    expressWs(expressApp, server);
    (expressApp as unknown as { readonly ws: Route }).ws("/chat", (socket, request) =>
      converse(app, socket, request),
    );
    return { server, close: () => server.close() };
  },
  connect: (port) => wsClient(port, "/chat"),
  frameOf: textFrame,
  keepsClients: true,
  lacks: { shared: "it accepts every path, and closes those without a route afterwards" },
};
