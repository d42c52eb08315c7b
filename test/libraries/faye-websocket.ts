import { createServer } from "node:http";
import FayeWebSocket from "faye-websocket";
import { textFrame } from "../support/raw-client.ts";
import { browserLike } from "./client.ts";
import type { Library } from "./library.ts";

export const faye: Library = {
  name: "faye-websocket",
  package: "faye-websocket",
  path: "/chat",
  target: "/chat",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    server.on("upgrade", (request, stream, head) => {
      if (request.url !== "/chat" || !FayeWebSocket.isWebSocket(request)) return;
      const socket = new FayeWebSocket(request, stream, head, ["bearer"]);
      socket.onopen = () => app.connected(request);
      socket.onmessage = ({ data }) => {
        app.said(data);
        if (data === "leave") socket.close(4001, "left");
        else socket.send(data);
      };
      socket.onclose = ({ code }) => app.left(code);
    });
    return { server, close: () => server.close() };
  },
  connect: (port) => browserLike(new FayeWebSocket.Client(`ws://127.0.0.1:${port}/chat`)),
  frameOf: textFrame,
  keepsClients: true,
  lacks: {},
};
