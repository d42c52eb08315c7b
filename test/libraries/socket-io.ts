import { createServer } from "node:http";
import { Server, type Socket } from "socket.io";
import { io } from "socket.io-client";
import { textFrame } from "../support/raw-client.ts";
import { connecting } from "./client.ts";
import type { Application, Library } from "./library.ts";

export const socketIo: Library = {
  name: "Socket.IO (websocket)",
  package: "socket.io",
  path: "/socket.io/*",
  target: "/socket.io/?EIO=4&transport=websocket",
  start: async (app, prepare) => {
    const server = createServer();
    prepare(server);
    const sockets = new Server(server);
    sockets.on("connection", (socket) => converse(app, socket));
    return { server, close: () => sockets.close() };
  },
  connect: (port) => socketIoClient(port, "websocket"),
  frameOf: (text) => textFrame(`42${JSON.stringify(["say", text])}`),
  opening: { frame: textFrame("40"), answer: '40{"sid"' },
  random: /"sid":"[^"]+"/g,
  keepsClients: false,
  lacks: { early: "it drops what comes before it has sent its own first packet" },
};

const noFrames = "polling has no frames: its messages are requests";

/** Its whole sessions are compared byte for byte in `socket-io/transparency.test.ts`. */
export const socketIoPolling: Library = {
  ...socketIo,
  name: "Socket.IO (polling)",
  target: "/socket.io/?EIO=4&transport=polling",
  polls: true,
  connect: (port) => socketIoClient(port, "polling"),
  lacks: {
    haste: "its messages are requests of their own, each of which passes the policy",
    early: "its messages are requests of their own, each of which passes the policy",
    tokens: "polling has no subprotocols",
    malformed: noFrames,
    notText: noFrames,
    sizes: noFrames,
    pings: noFrames,
    bombs: noFrames,
    bursts: noFrames,
    slow: noFrames,
  },
};

function converse(app: Application, socket: Socket): void {
  app.connected(socket.request);
  socket.on("say", (text: string) => {
    app.said(text);
    if (text === "leave") socket.disconnect(true);
    else socket.emit("say", text);
  });
  socket.on("disconnect", app.left);
}

const socketIoClient = (
  port: number,
  transport: "websocket" | "polling",
): ReturnType<Library["connect"]> =>
  connecting(({ opened, failed, heard, ended }) => {
    const socket = io(`http://127.0.0.1:${port}`, {
      transports: [transport],
      reconnection: false,
      forceNew: true,
    });
    socket.on("connect", opened);
    socket.on("connect_error", failed);
    socket.on("say", heard);
    socket.on("disconnect", ended);
    return {
      send: (text) => void socket.emit("say", text),
      close: () => void socket.disconnect(),
    };
  });
