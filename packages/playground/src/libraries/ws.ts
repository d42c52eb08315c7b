import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import type { ChatEvent } from "../protocol.ts";
import { maxMessageBytes } from "../room.ts";
import { type Library, patienceMs, type ServeOptions } from "./library.ts";

/** WebSockets as they are, with JSON in their messages. */
export const ws: Library = {
  name: "ws",
  title: "ws",
  forgottenPath: "/debug",

  serve: (server, options) => {
    const sockets = new WebSocketServer({ server, maxPayload: maxMessageBytes });
    sockets.on("connection", receivedBy(options));
    return {
      close: () => {
        for (const socket of sockets.clients) socket.close(1001);
        sockets.close();
      },
    };
  },

  dialect: {
    query: "",
    greeting: [],
    write: (request) => JSON.stringify(request),
    read: (message) => parsed(message) as ChatEvent | undefined,
  },

  polls: false,

  visit: async (host, { path, protocols, headers }) => {
    const socket = new WebSocket(`ws://${host}${path}`, [...protocols], { headers });
    const over = new AbortController();
    const { signal } = over;
    AbortSignal.timeout(patienceMs).addEventListener("abort", () => over.abort());
    socket.on("close", () => over.abort());
    let status = 0;
    socket.on("upgrade", ({ statusCode = 0 }) => {
      status = statusCode;
    });
    socket.on("unexpected-response", (request, { statusCode = 0 }) => {
      status = statusCode;
      request.destroy();
      socket.emit("error", new Error("refused"));
    });
    try {
      await once(socket, "open", { signal });
      socket.ping();
      await once(socket, "pong", { signal });
      return { status, isAlive: true };
    } catch {
      return { status, isAlive: false };
    } finally {
      socket.on("error", () => undefined);
      socket.terminate();
    }
  },
};

/** What becomes of an accepted WebSocket: it enters the room of its path, once it is known who that is. */
export const receivedBy =
  ({ roomAt, nameOf, firstMessages, onMessage }: ServeOptions) =>
  async (socket: WebSocket, request: IncomingMessage): Promise<void> => {
    const path = pathOf(request);
    socket.on("error", () => undefined);
    const isKnown =
      firstMessages?.path !== path || (await firstMessages.authenticate(socket, request));
    if (!isKnown) return;
    const { hear, leave } = roomAt(path).enter(nameOf(request), {
      tell: (event) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(event));
      },
      drop: () => socket.terminate(),
    });
    socket.on("message", (data) => {
      onMessage(request);
      hear(parsed(String(data)));
    });
    socket.on("close", leave);
  };

export const pathOf = ({ url = "" }: IncomingMessage): string => url.split("?")[0] ?? "";

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
