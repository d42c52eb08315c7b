import type { Server as HttpServer } from "node:http";
import { bindSessions } from "@firmshake/node";
import { Server, type Socket } from "socket.io";
import { io } from "socket.io-client";
import { WebSocketServer } from "ws";
import type { ChatEvent } from "../protocol.ts";
import { maxMessageBytes } from "../room.ts";
import { type Library, patienceMs, type ServeOptions } from "./library.ts";
import { pathOf, receivedBy } from "./ws.ts";

/** Socket.IO, a server of its own on each path, so that each has its own guard. */
export const socketIo: Library = {
  name: "socket.io",
  title: "Socket.IO",
  // Socket.IO takes whatever begins with its path for its own.
  forgottenPath: "/chat/debug",

  serve: (server, options) => {
    const { paths, roomAt, nameOf, isGated, firstMessages, onMessage } = options;
    // Each of them listens to the server.
    server.setMaxListeners(0);
    const closePlain = firstMessages && servePlain(server, firstMessages.path, options);
    const own = paths.filter((path) => path !== firstMessages?.path);
    const servers = own.map((path, index) => {
      const sockets = new Server(server, {
        path,
        addTrailingSlash: false,
        serveClient: false,
        // Ends upgrades that nobody takes. One of them is enough: each would listen to every socket.
        destroyUpgrade: index === 0,
        maxHttpBufferSize: maxMessageBytes,
      });
      if (isGated) bindSessions(sockets);
      sockets.on("connection", (socket) => {
        const { hear, leave } = roomAt(path).enter(nameOf(socket.request), {
          tell: (event) => socket.emit("event", event),
          drop: () => socket.disconnect(true),
        });
        socket.on("request", (message) => {
          onMessage(socket.request, sessionIdOf(socket));
          hear(message);
        });
        socket.on("disconnect", leave);
      });
      return sockets;
    });
    return {
      close: () => {
        for (const { engine } of servers) engine.close();
        closePlain?.();
      },
    };
  },

  // Packets of Engine.IO 4 ("4" is a message) around packets of Socket.IO 5 ("0" connects, "2" is an event).
  dialect: {
    query: "EIO=4&transport=websocket",
    greeting: ["40"],
    write: (request) => `42${JSON.stringify(["request", request])}`,
    read: (message) =>
      message.startsWith("42")
        ? (JSON.parse(message.slice(2)) as readonly [string, ChatEvent])[1]
        : undefined,
  },

  polls: true,

  visit: (host, { path, protocols, headers, transport = "websocket" }) => {
    const socket = io(`http://${host}`, {
      path,
      addTrailingSlash: false,
      transports: [transport],
      protocols: [...protocols],
      extraHeaders: { ...headers },
      forceNew: true,
      reconnection: false,
      timeout: patienceMs,
    });
    return new Promise((resolve) => {
      const settle = (status: number, isAlive: boolean): void => {
        clearTimeout(deadline);
        socket.disconnect();
        resolve({ status, isAlive });
      };
      const deadline = setTimeout(() => settle(0, false), patienceMs);
      socket.once("connect", () => socket.emit("request", { type: "ping" }));
      socket.on("event", ({ type }: ChatEvent) => {
        if (type !== "pong") return;
        settle(socket.io.engine.transport.name === "websocket" ? 101 : 200, true);
      });
      socket.once("connect_error", (error) => settle(statusIn(error), false));
      // A refusal by a close frame comes before the client has anything to tell.
      socket.io.engine.once("close", () => settle(0, false));
    });
  },
};

/** Socket.IO reads its sockets itself and has a message of its own to begin with: this path is served by ws, beside it. */
function servePlain(server: HttpServer, path: string, options: ServeOptions): () => void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes });
  sockets.on("connection", receivedBy(options));
  server.on("upgrade", (request, socket, head) => {
    if (pathOf(request) !== path) return;
    sockets.handleUpgrade(request, socket, head, (accepted) =>
      sockets.emit("connection", accepted, request),
    );
  });
  return () => {
    for (const socket of sockets.clients) socket.close(1001);
    sockets.close();
  };
}

/** Engine.IO's, which is in the query of each of the session's requests. */
const sessionIdOf = ({ conn }: Socket): string => (conn as unknown as { readonly id: string }).id;

/** Of polling the client tells the status; of a WebSocket it passes on the sentence of ws beneath, which ends in it. */
function statusIn({ description }: Error & { readonly description?: unknown }): number {
  if (typeof description === "number") return description;
  const { message } = (description ?? {}) as { readonly message?: unknown };
  return Number(/\d{3}$/.exec(String(message))?.[0] ?? 0);
}
