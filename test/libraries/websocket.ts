import { createServer } from "node:http";
import websocket from "websocket";
import { textFrame } from "../support/raw-client.ts";
import { browserLike } from "./client.ts";
import type { Library } from "./library.ts";

export const websocketLibrary: Library = {
  name: "websocket",
  package: "websocket",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const sockets = new websocket.server({ httpServer: server });
    sockets.on("request", (request) => {
      if (request.resource !== "/chat") return;
      const connection = request.accept(request.requestedProtocols[0] ?? null, request.origin);
      app.connected(request.httpRequest);
      connection.on("message", ({ utf8Data = "" }) => {
        app.said(utf8Data);
        if (utf8Data === "leave") connection.close(4001, "left");
        else connection.sendUTF(utf8Data);
      });
      connection.on("close", app.left);
    });
    const close = (): void => {
      sockets.shutDown();
      server.close();
    };
    return { server, close };
  },
  connect: (port) => browserLike(new websocket.w3cwebsocket(`ws://127.0.0.1:${port}/chat`)),
  frameOf: textFrame,
  keepsClients: false,
  lacks: { early: "it drops the bytes that come with the handshake" },
};
