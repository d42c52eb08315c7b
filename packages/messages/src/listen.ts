import { ConfigError } from "@firmshake/core";
import {
  closeWith,
  isLeaving,
  isMessageSocket,
  listenTo,
  type MessagePayload,
  type MessageSocket,
  payloadOf,
} from "@firmshake/core/gate";
import { converse, type Found } from "./conversation.ts";
import { readHandlers } from "./handlers.ts";
import { readJson } from "./json/read-json.ts";
import type { AnyMessageType, MessageType } from "./message.ts";
import type { MessageErrorCode } from "./message-errors.ts";
import type { BinaryPolicy, MessageTypes } from "./messages.ts";
import type { Terms } from "./terms.ts";

/** A WebSocket of any library that gives whole messages. */
export interface Socket extends MessageSocket {
  readonly send: (data: string) => unknown;
}

/** What a handler is told besides the data. */
export interface MessageContext<Connection> {
  readonly connection: Connection;
  /** Which message of the connection it is, from 1 on. */
  readonly position: number;
}

/** A handler for each type. */
export type Handlers<Types extends MessageTypes, Context> = {
  readonly [Name in keyof Types]: (
    data: Types[Name] extends MessageType<infer Data, never> ? Data : never,
    context: Context,
  ) => unknown;
};

/** What `listen` takes besides the socket. */
export type ListenOptions<Types extends MessageTypes, Binary extends BinaryPolicy, Connection> = {
  /** Whose messages they are: `connectionOf(request)`, or what you know of it. */
  readonly connection: Connection;
  /** A handler for each type. It is given what the schema has let through. */
  readonly on: Handlers<Types, MessageContext<Connection>>;
} & (Binary extends MessageType<infer Data, never>
  ? {
      /** The handler for binary messages, whose schema is given a `Uint8Array`. */
      readonly onBinary: (data: Data, context: MessageContext<Connection>) => unknown;
    }
  : { readonly onBinary?: never });

type Handler = (data: never, context: MessageContext<object>) => unknown;

/** Listens to the socket until it is closed, or until the answer is called. */
export function listen(terms: Terms, socket: Socket, options: object): () => void {
  const { connection, handlers, onBinary } = readHandlers("listen", terms, options);
  if (!isMessageSocket(socket) || typeof socket.send !== "function") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "listen: give the WebSocket of the library's connection event; it needs send(), close(), and on() with off(), or addEventListener().",
    );
  }
  const receive = converse<MessagePayload | undefined>(terms, connection, {
    isLeaving: () => isLeaving(socket),
    sizeOf: (payload) => payload?.data.length ?? 0,
    read: (payload) => readPayload(terms, payload),
    handle: ({ name }, data, _, position) => {
      const handler = (name === undefined ? onBinary : handlers.get(name)) as Handler;
      return handler(data, { connection, position });
    },
    answer: (error) => void socket.send(JSON.stringify(error)),
    close: (code, reason) => void closeWith(socket, code, reason),
  });
  const stops = [
    listenTo(socket, "message", (message, isBinary) => receive(payloadOf(message, isBinary))),
    // A malformed frame would end the process where nobody listens (CVE-2022-39386); the library closes by itself.
    listenTo(socket, "error", () => undefined),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function readPayload(
  { types, binary, bounds, typeOf, dataOf }: Terms,
  payload: MessagePayload | undefined,
): Found | MessageErrorCode {
  if (payload === undefined) return "binary_unsupported";
  const { data, isText } = payload;
  if (!isText && binary === "refuse") return "binary_unsupported";
  if (!isText && binary !== "json")
    return readBytes(binary as AnyMessageType, data, bounds.maxBytes);
  if (types.size === 0) return "text_unsupported";
  const reading = readJson(data, bounds);
  if ("fault" in reading) return reading.fault;
  const name = typeOf(reading.value);
  const type = typeof name === "string" ? types.get(name) : undefined;
  if (type === undefined) return "message_type_unknown";
  return { type, name: name as string, data: dataOf(reading.value) };
}

function readBytes(
  type: AnyMessageType,
  data: string | Uint8Array,
  maxBytes: number,
): Found | MessageErrorCode {
  return data.length > maxBytes ? "message_too_long" : { type, name: undefined, data };
}
