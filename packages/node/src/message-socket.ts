import { Buffer } from "node:buffer";

/** What WebSocket libraries for Node have in common: `ws`, faye-websocket, `websocket`, and sockets in the manner of browsers. */
export interface MessageSocket {
  /** As in browsers: above 1 it is closing, or closed. */
  readonly readyState?: unknown;
  readonly close: (code?: number, reason?: string) => unknown;
  readonly on?: (event: never, listener: never) => unknown;
  readonly off?: (event: never, listener: never) => unknown;
  readonly addEventListener?: (event: never, listener: never) => unknown;
  readonly removeEventListener?: (event: never, listener: never) => unknown;
}

type Listener = (...args: readonly unknown[]) => void;

/** Listens in whichever manner the socket has. The answer stops it. */
export function listenTo(socket: MessageSocket, event: string, listener: Listener): () => void {
  const args = [event, listener] as [never, never];
  if (socket.on !== undefined) {
    socket.on(...args);
    return () => void socket.off?.(...args);
  }
  socket.addEventListener?.(...args);
  return () => void socket.removeEventListener?.(...args);
}

/** Whether the socket is one that can be listened to and closed. */
export function isMessageSocket(value: unknown): value is MessageSocket {
  const { close, on, off, addEventListener, removeEventListener } = Object(
    value,
  ) as Partial<MessageSocket>;
  const isEmitter = typeof on === "function" && typeof off === "function";
  const isTarget =
    on === undefined &&
    typeof addEventListener === "function" &&
    typeof removeEventListener === "function";
  return typeof close === "function" && (isEmitter || isTarget);
}

/** Whether the socket took it. Some, as browsers do, send no codes of the protocol's own; then it is the private one, 3,000 above (RFC 6455 §7.4.2). */
export function closeWith(socket: MessageSocket, code: number, reason: string): boolean {
  for (const one of [code, code + 3_000]) {
    try {
      socket.close(one, reason);
      return true;
    } catch {
      // The other, or none.
    }
  }
  return false;
}

export const isLeaving = ({ readyState }: MessageSocket): boolean =>
  typeof readyState === "number" && readyState > 1;

/** The text that a library's message event gives, as an argument or in an event; undefined for bytes. */
export function textIn(message: unknown, isBinary?: unknown): string | undefined {
  if (typeof message === "string") return message;
  if (Buffer.isBuffer(message)) return isBinary === false ? message.toString() : undefined;
  const { data, utf8Data = data } = Object(message) as {
    readonly data?: unknown;
    readonly utf8Data?: unknown;
  };
  return typeof utf8Data === "string" ? utf8Data : undefined;
}
