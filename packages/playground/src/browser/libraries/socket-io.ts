import type { Socket } from "socket.io-client";
import type { ChatEvent } from "../../protocol.ts";
import type { Connect } from "./connection.ts";

/** The file that Socket.IO has made for browsers; no page loads it that does not need it. */
const client = "/scripts/socket.io-client.js";

/** By Socket.IO's own client. */
export const connectBySocketIo: Connect = (destination, { onOpen, onEvent, onClose }) => {
  const { url, protocols, token } = destination;
  const { origin, pathname, searchParams } = new URL(url);
  let socket: Socket | undefined;
  let isClosed = false;
  const closeOnce = (reason: string, closeCode?: number): void => {
    if (isClosed) return;
    isClosed = true;
    onClose({ reason, closeCode });
  };

  async function open(): Promise<void> {
    const { io } = (await import(client)) as typeof import("socket.io-client");
    if (isClosed) return;
    socket = io(origin, {
      path: pathname,
      addTrailingSlash: false,
      query: Object.fromEntries(searchParams),
      protocols: [...protocols],
      ...(token === undefined
        ? { transports: ["websocket"] }
        : { extraHeaders: { Authorization: `Bearer ${token}` } }),
      forceNew: true,
      reconnection: false,
    });
    socket.on("connect", () => onOpen?.());
    socket.on("event", (event: ChatEvent) => onEvent(event));
    // A refusal by a close frame comes before Socket.IO has opened anything, and is told by no event of its own.
    socket.io.engine.on("close", (reason, details) => {
      const { context } = (details ?? {}) as { readonly context?: unknown };
      if (context instanceof CloseEvent) closeOnce(context.reason, context.code);
      else closeOnce(reason);
    });
    socket.on("connect_error", ({ message }) => closeOnce(message));
    socket.on("disconnect", (reason) => closeOnce(reason));
  }

  open().catch(() => closeOnce("no client"));
  return {
    isOpen: () => socket?.connected === true,
    send: (request) => socket?.emit("request", request),
    close: () => {
      socket?.disconnect();
      closeOnce("closed");
    },
  };
};
