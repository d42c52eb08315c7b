import { createServer } from "node:http";
import Koa from "koa";
import koaWebsocket from "koa-websocket";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import { converse } from "./converse.ts";
import type { Library } from "./library.ts";

export const koaWebsocketLibrary: Library = {
  name: "koa-websocket",
  package: "koa-websocket",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const koa = koaWebsocket(new Koa());
    koa.ws.use(({ websocket, req }) => converse(app, websocket, req));
    const server = createServer(koa.callback());
    prepare(server);
    // What its own `listen` does once it has made a server.
    koa.ws.listen({ server });
    return { server, close: () => server.close() };
  },
  connect: (port) => wsClient(port, "/chat"),
  frameOf: textFrame,
  keepsClients: true,
  lacks: { shared: "it accepts every path" },
};
