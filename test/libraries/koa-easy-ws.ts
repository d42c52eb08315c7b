import { createServer } from "node:http";
import Koa from "koa";
import koaEasyWs from "koa-easy-ws";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import { converse } from "./converse.ts";
import type { Library } from "./library.ts";

export const koaEasyWsLibrary: Library = {
  name: "koa-easy-ws",
  package: "koa-easy-ws",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const koa = new Koa();
    koa.use(koaEasyWs());
    koa.use(async (context) => {
      const { ws } = context as unknown as koaEasyWs.Upgradable;
      if (ws !== undefined) converse(app, await ws(), context.req);
    });
    const server = createServer(koa.callback());
    prepare(server);
    return { server, close: () => server.close() };
  },
  connect: (port) => wsClient(port, "/chat"),
  frameOf: textFrame,
  keepsClients: true,
  lacks: {
    early: "it lets Node read the bytes behind the handshake, as a further request",
    shared: "Node gives it no handshakes any more once another library listens for upgrades",
  },
};
