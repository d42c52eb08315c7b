import { createServer } from "node:http";
import sockjs from "sockjs";
import SockJsClient from "sockjs-client";
import { textFrame } from "../support/raw-client.ts";
import { browserLike } from "./client.ts";
import type { Library } from "./library.ts";

export const sockJs: Library = {
  name: "SockJS (websocket)",
  package: "sockjs",
  path: "/chat/*",
  target: "/chat/000/session/websocket",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const sockets = sockjs.createServer({ log: () => undefined });
    sockets.on("connection", (connection) => {
      app.connected(connection);
      connection.on("data", (text) => {
        app.said(text);
        if (text === "leave") connection.close(4001, "left");
        else connection.write(text);
      });
      connection.on("close", () => app.left("closed"));
    });
    sockets.installHandlers(server, { prefix: "/chat" });
    return { server, close: () => server.close() };
  },
  connect: (port) =>
    browserLike(
      new SockJsClient(`http://127.0.0.1:${port}/chat`, null, { transports: "websocket" }),
    ),
  frameOf: (text) => textFrame(JSON.stringify([text])),
  keepsClients: true,
  lacks: {
    early: "it drops what comes before it has sent its own first packet",
    identity: "it hands out neither the request nor the socket, but some headers alone",
  },
};
