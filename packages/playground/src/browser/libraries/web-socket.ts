import type { ChatEvent } from "../../protocol.ts";
import type { Connect } from "./connection.ts";

/** By the browser's own WebSocket, which is all that ws needs. */
export const connectByWebSocket: Connect = ({ url, protocols }, { onOpen, onEvent, onClose }) => {
  const socket = new WebSocket(url, [...protocols]);
  socket.addEventListener("open", () => onOpen?.());
  socket.addEventListener("message", ({ data }) => onEvent(JSON.parse(String(data)) as ChatEvent));
  socket.addEventListener("close", ({ code, reason }) => onClose({ closeCode: code, reason }));
  return {
    isOpen: () => socket.readyState === WebSocket.OPEN,
    send: (request) => socket.send(JSON.stringify(request)),
    close: () => socket.close(),
  };
};
