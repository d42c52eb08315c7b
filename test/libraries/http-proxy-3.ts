import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createProxyServer } from "http-proxy-3";
import { WebSocketServer } from "ws";
import { textFrame } from "../support/raw-client.ts";
import { wsClient } from "./client.ts";
import { converse } from "./converse.ts";
import type { Library } from "./library.ts";

export const httpProxy: Library = {
  name: "http-proxy-3",
  package: "http-proxy-3",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const target = createServer();
    const wss = new WebSocketServer({ server: target });
    target.listen(0, "127.0.0.1");
    await once(target, "listening");
    const { port } = target.address() as AddressInfo;
    const proxy = createProxyServer({ target: { host: "127.0.0.1", port } });
    proxy.on("error", () => undefined);
    const requests: object[] = [];
    wss.on("connection", (socket) => converse(app, socket, requests.shift() ?? {}));

    const server = createServer();
    prepare(server);
    server.on("upgrade", (request, socket, head) => {
      if (request.url !== "/chat") return;
      requests.push(request);
      proxy.ws(request, socket, head);
    });
    const close = (): void => {
      server.close();
      for (const client of wss.clients) client.close(1001, "going");
      target.close();
    };
    return { server, close };
  },
  connect: (port) => wsClient(port, "/chat"),
  frameOf: textFrame,
  random: /^Date: .*\r\n/gm,
  keepsClients: false,
  lacks: {},
};
