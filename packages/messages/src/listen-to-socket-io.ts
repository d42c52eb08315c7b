import { ConfigError } from "@firmshake/core";
import { converse, type Found } from "./conversation.ts";
import { readHandlers } from "./handlers.ts";
import { type Inspection, inspectValue } from "./json/inspect-value.ts";
import type { Handlers, MessageContext } from "./listen.ts";
import { type MessageErrorCode, messageErrors } from "./message-errors.ts";
import type { MessageTypes } from "./messages.ts";
import type { Terms } from "./terms.ts";

/** The parts of a Socket.IO server's socket (4.x) that are used. */
export interface SocketIoSocket {
  readonly connected: boolean;
  readonly use: (middleware: never) => unknown;
  readonly emit: (event: never, argument: never) => unknown;
  readonly disconnect: (close?: boolean) => unknown;
}

/** What a handler of an event is told besides the data. */
export interface EventContext<Connection> extends MessageContext<Connection> {
  /** Answers the client that waits for it; undefined where none does. */
  readonly ack: ((...answer: readonly unknown[]) => void) | undefined;
}

/** What `listenToSocketIo` takes besides the socket. */
export interface SocketIoOptions<Types extends MessageTypes, Connection> {
  /** Whose messages they are: `connectionOf(socket.request)`, or what you know of it. */
  readonly connection: Connection;
  /** A handler for each type. It is given what the schema has let through. */
  readonly on: Handlers<Types, EventContext<Connection>>;
}

interface Packet {
  readonly event: unknown;
  readonly data: unknown;
  readonly ack: EventContext<object>["ack"];
  inspection?: Inspection;
}

type Handler = (data: never, context: EventContext<object>) => unknown;

/** Listens to the socket of Socket.IO for as long as it lives. */
export function listenToSocketIo(terms: Terms, socket: SocketIoSocket, options: object): void {
  const { connection, handlers } = readHandlers("listenToSocketIo", terms, options);
  const { use, emit, disconnect } = Object(socket) as Partial<SocketIoSocket>;
  if (![use, emit, disconnect].every((one) => typeof one === "function")) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "listenToSocketIo: give the socket of Socket.IO's connection event.",
    );
  }
  const allowsBytes = terms.binary !== "refuse";
  const inspect = (packet: Packet): Inspection => {
    packet.inspection ??= inspectValue(packet.data, terms.bounds, allowsBytes);
    return packet.inspection;
  };
  const tell = (error: object): unknown => socket.emit("error" as never, error as never);
  const receive = converse<Packet>(terms, connection, {
    isLeaving: () => !socket.connected,
    sizeOf: (packet) => {
      const inspection = inspect(packet);
      return "bytes" in inspection ? inspection.bytes : 0;
    },
    read: (packet) => readPacket(terms, packet, inspect(packet)),
    handle: ({ name }, data, { ack }, position) =>
      (handlers.get(name as string) as Handler)(data, { connection, position, ack }),
    answer: (error, { ack }) => void (ack === undefined ? tell(error) : ack(error)),
    // Socket.IO closes without a code; what a client sees first says why.
    close: (_, code) => {
      const { title } = messageErrors[code];
      tell({ [terms.typeKey]: "error", code, title });
      socket.disconnect(true);
    },
  });
  // `next` is never called: what is not handled here is not handled at all.
  const middleware = (args: readonly unknown[]): void => receive(packetOf(args));
  socket.use(middleware as never);
}

function packetOf([event, ...args]: readonly unknown[]): Packet {
  const last = args.at(-1);
  const ack = typeof last === "function" ? (last as Packet["ack"]) : undefined;
  const given = ack === undefined ? args : args.slice(0, -1);
  return { event, data: given.length > 1 ? given : given[0], ack };
}

function readPacket(
  { types }: Terms,
  { event, data }: Packet,
  inspection: Inspection,
): Found | MessageErrorCode {
  if ("fault" in inspection) return inspection.fault;
  const type = typeof event === "string" ? types.get(event) : undefined;
  if (type === undefined) return "message_type_unknown";
  return { type, name: event as string, data };
}
