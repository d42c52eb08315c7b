import type { IncomingMessage, Server } from "node:http";
import { type RawData, WebSocket, WebSocketServer } from "ws";
import type { ChatEvent, ChatLine, ChatRequest } from "./protocol.ts";

/** The chat: a WebSocket server as it would stand in any application. It knows nothing of the gate. */
export interface Chat {
  readonly close: () => void;
}

const maxRecent = 50;
const maxTextLength = 500;
const maxPayloadBytes = 4_096;

/**
 * Serves the chat to every WebSocket of the server.
 *
 * @param nameOf - Who is at the other end.
 */
export function serveChat(
  server: Server,
  nameOf: (request: IncomingMessage) => Promise<string>,
): Chat {
  const sockets = new WebSocketServer({ server, maxPayload: maxPayloadBytes });
  const recent: ChatLine[] = [];
  const names = new Map<WebSocket, string>();

  function broadcast(event: ChatEvent): void {
    const text = JSON.stringify(event);
    for (const socket of names.keys()) {
      if (socket.readyState === WebSocket.OPEN) socket.send(text);
    }
  }

  function say(from: string, text: string): void {
    const line = { from, text, at: Date.now() };
    recent.push(line);
    if (recent.length > maxRecent) recent.shift();
    broadcast({ type: "said", line });
  }

  sockets.on("connection", (socket, request) => {
    const send = (event: ChatEvent): void => socket.send(JSON.stringify(event));
    const tellPresence = (): void =>
      broadcast({ type: "present", names: [...new Set(names.values())] });
    const named = nameOf(request).then((name) => {
      names.set(socket, name);
      send({ type: "welcome", name, recent });
      tellPresence();
      return name;
    });
    // A message can be there before the name is known: it waits for it.
    named.catch(() => socket.terminate());
    socket.on("error", () => undefined);
    socket.on("message", (data) => {
      const asked = readRequest(data);
      named.then((name) => {
        if (asked?.type === "ping") send({ type: "pong" });
        if (asked?.type === "say") say(name, asked.text);
      }, ignore);
    });
    socket.on("close", () => {
      named.then(() => {
        names.delete(socket);
        tellPresence();
      }, ignore);
    });
  });

  return {
    close: () => {
      for (const socket of sockets.clients) socket.close(1001);
      sockets.close();
    },
  };
}

function ignore(): void {}

function readRequest(data: RawData): ChatRequest | undefined {
  let value: unknown;
  try {
    value = JSON.parse(String(data));
  } catch {
    return undefined;
  }
  const { type, text } = (value ?? {}) as { readonly type?: unknown; readonly text?: unknown };
  if (type === "ping") return { type };
  if (type !== "say" || typeof text !== "string") return undefined;
  const said = text.trim().slice(0, maxTextLength);
  return said === "" ? undefined : { type, text: said };
}
