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

/** What one message brought: text as such or as its UTF-8 bytes, or binary data. */
export interface MessagePayload {
  readonly data: string | Uint8Array;
  readonly isText: boolean;
}

/**
 * What a library's message event gives, as an argument or in an event; undefined where that is neither text nor bytes. Bytes are binary data
 * unless the library says that they are not (`ws` from 8.0 on).
 */
export function payloadOf(message: unknown, isBinary?: unknown): MessagePayload | undefined {
  if (typeof message === "string") return { data: message, isText: true };
  const bytes = bytesIn(message);
  if (bytes !== undefined) return { data: bytes, isText: isBinary === false };
  const {
    data,
    utf8Data = data,
    binaryData = utf8Data,
  } = Object(message) as {
    readonly data?: unknown;
    readonly utf8Data?: unknown;
    readonly binaryData?: unknown;
  };
  if (typeof utf8Data === "string") return { data: utf8Data, isText: true };
  const within = bytesIn(binaryData);
  return within && { data: within, isText: false };
}

function bytesIn(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return Array.isArray(value) && value.length > 0 ? joined(value) : undefined;
}

/** `ws` gives the fragments of a message where it was told to (`binaryType`). */
function joined(fragments: readonly unknown[]): Uint8Array | undefined {
  if (!fragments.every((one) => one instanceof Uint8Array)) return undefined;
  const bytes = new Uint8Array(fragments.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const fragment of fragments) {
    bytes.set(fragment, offset);
    offset += fragment.length;
  }
  return bytes;
}
