import { ConfigError, type RateLimitRule } from "@firmshake/core";
import {
  aBoolean,
  aFunction,
  anObject,
  anything,
  aPositiveInteger,
  aText,
  aTextList,
  either,
  oneOf,
  readOptions,
} from "@firmshake/core/gate";
import type { MessageConnection } from "./allow.ts";
import { defaultBounds, type JsonBounds } from "./json/json-bounds.ts";
import { type ListenOptions, listen, type Socket } from "./listen.ts";
import {
  listenToSocketIo,
  type SocketIoOptions,
  type SocketIoSocket,
} from "./listen-to-socket-io.ts";
import { type AnyMessageType, message } from "./message.ts";
import type { FaultPolicy, MessageErrorPlace, MessageFault, Terms } from "./terms.ts";

/** The types of a protocol, by their names. */
export type MessageTypes = Readonly<Record<string, AnyMessageType>>;

/** What binary messages are: refused, JSON in UTF-8, or a type of their own, made by {@link message}. */
export type BinaryPolicy = "refuse" | "json" | AnyMessageType;

/** What {@link messages} takes. `types` and `onError` are required. */
export interface MessagesOptions<Types extends MessageTypes, Binary extends BinaryPolicy> {
  /** Every type there is. Messages of others never reach a handler. Without any, text is refused. */
  readonly types: Types;
  /** What is told of everything that a handler, a schema or `allow` throws, or rejects with: it is never sent, and never ends the process. */
  readonly onError: (error: unknown, place: MessageErrorPlace) => unknown;
  /** The property of a message that names its type, or a function that finds it. Default `type`. */
  readonly typeOf?: string | ((message: unknown) => unknown);
  /** The property of a message that its schema is about, or a function that finds it. Default: the whole message. */
  readonly dataOf?: string | ((message: unknown) => unknown);
  /** What binary messages are. Default `refuse`. */
  readonly binary?: Binary;
  /** Bytes of one message. Default 65,536. */
  readonly maxBytes?: number;
  /** Arrays and objects within each other. Default 32. */
  readonly maxDepth?: number;
  /** Members of objects and elements of arrays, in all. Default 1,000. */
  readonly maxKeys?: number;
  /** UTF-16 code units of one string or key. Default 16,384. */
  readonly maxStringLength?: number;
  /** Of `constructor` and `prototype`, those that may be keys. `__proto__` never may. Default none. */
  readonly insecureAllowKeys?: readonly ("constructor" | "prototype")[];
  /** What the messages of one connection may cost in how much time; false for no end. Default 100 in 10 seconds. */
  readonly budget?: RateLimitRule | false;
  /** How many messages of one connection may be wrong in how much time before it is closed. Default 20 in a minute. */
  readonly faults?: RateLimitRule;
  /** How many messages may wait for a promise of one before them; together they may have four times `maxBytes`. Default 64. */
  readonly maxWaiting?: number;
  /** What becomes of messages that are wrong: all alike, or as the function says of each. Default `answer`. */
  readonly onFault?:
    | FaultPolicy
    | ((fault: MessageFault, connection: MessageConnection) => FaultPolicy);
  /** Whether answers say where the data is wrong: at most 5 JSON Pointers, in which keys may be the client's own. Default false. */
  readonly showPaths?: boolean;
}

/** What is asked of a connection by the protocol's types. */
export type ConnectionOf<Types extends MessageTypes> = [keyof Types] extends [never]
  ? MessageConnection
  : Types[keyof Types]["allow"] extends (connection: infer Connection) => unknown
    ? Connection
    : never;

/** The messages that an application understands. */
export interface Protocol<Types extends MessageTypes, Binary extends BinaryPolicy> {
  /**
   * Listens to a socket of `ws`, @fastify/websocket, faye-websocket, `websocket`, or one in the manner of browsers. Call it in the library's
   * `connection` event, before anything is awaited. It listens for the socket's errors too. The answer stops it.
   *
   * @throws {@link ConfigError} where a handler is missing, or for what is no such socket.
   */
  readonly listen: <Connection extends ConnectionOf<Types>>(
    socket: Socket,
    options: ListenOptions<Types, Binary, Connection>,
  ) => () => void;
  /**
   * Listens to a socket of Socket.IO. Events are the types, their argument is the data; where there is more than one, their list is.
   * No event gets past it to listeners of `socket.on`.
   *
   * @throws {@link ConfigError} where a handler is missing, or for what is no such socket.
   */
  readonly listenToSocketIo: <Connection extends ConnectionOf<Types>>(
    socket: SocketIoSocket,
    options: SocketIoOptions<Types, Connection>,
  ) => void;
}

/**
 * Declares the messages that an application understands. What is not exactly one of them never reaches a handler: before `JSON.parse` the text
 * is looked through for what is out of bounds, then come the type, its cost, the right to send it, and its schema.
 *
 * - What is wrong is answered by `{ type: "error", code, title, position, of? }`, or closes the connection (1003, 1007, 1008, 1009).
 *   Nothing of what the client sent comes back.
 * - Messages are handled one after the other; handlers that return promises are waited for.
 * - Nothing that comes from the network, and nothing that a handler throws, ends the process.
 *
 * @throws {@link ConfigError} for options that are not as above, and `ERR_FIRMSHAKE_OPTIONS_CONTRADICT` where a type costs more than the whole
 * budget.
 * @see RFC 8259 for JSON, RFC 6455 §7.4 for the close codes
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { authenticated, message, messages, withScope } from "@firmshake/messages";
 * import { attach, connectionOf, guard, jwt } from "@firmshake/node";
 * import { WebSocketServer } from "ws";
 * import { z } from "zod";
 *
 * const protocol = messages({
 *   types: {
 *     say: message({ schema: z.object({ text: z.string().max(500) }), allow: authenticated }),
 *     ban: message({ schema: z.object({ user: z.string().max(64) }), allow: withScope("chat:admin") }),
 *   },
 *   onError: console.error,
 * });
 * const server = createServer();
 * attach(server, {
 *   "/chat": guard(jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) })),
 * });
 * new WebSocketServer({ server }).on("connection", (socket, request) => {
 *   protocol.listen(socket, {
 *     connection: connectionOf(request),
 *     on: {
 *       say: ({ text }, { connection }) => socket.send(`${connection.identity?.subject}: ${text}`),
 *       ban: ({ user }) => console.log("banned", user),
 *     },
 *   });
 * });
 * ```
 */
export function messages<Types extends MessageTypes, Binary extends BinaryPolicy = "refuse">(
  options: MessagesOptions<Types, Binary>,
): Protocol<Types, Binary> {
  const terms = readTerms(options as MessagesOptions<MessageTypes, BinaryPolicy>);
  return Object.freeze({
    listen: (socket, given) => listen(terms, socket, given),
    listenToSocketIo: (socket, given) => listenToSocketIo(terms, socket, given),
  } satisfies Protocol<Types, Binary>);
}

// Taken at load: tests of applications replace the globals by faked ones. It never goes back.
const { performance } = globalThis;

function readTerms(options: MessagesOptions<MessageTypes, BinaryPolicy>): Terms {
  const read = readOptions<MessagesOptions<MessageTypes, BinaryPolicy>>(
    "messages",
    options,
    {
      types: anObject,
      onError: aFunction,
      typeOf: either(aText, aFunction),
      dataOf: either(aText, aFunction),
      binary: either(oneOf("refuse", "json"), aMessageType),
      maxBytes: aPositiveInteger,
      maxDepth: aPositiveInteger,
      maxKeys: aPositiveInteger,
      maxStringLength: aPositiveInteger,
      insecureAllowKeys: aTextList,
      budget: anything,
      faults: anObject,
      maxWaiting: aPositiveInteger,
      onFault: either(oneOf("answer", "close", "ignore"), aFunction),
      showPaths: aBoolean,
    },
    ["types", "onError"],
  );
  const { typeOf = "type", dataOf, budget = { limit: 100, windowMs: 10_000 } } = read;
  const { onFault = "answer", binary = "refuse" } = read;
  const rule = budget === false ? undefined : readRule("budget", budget);
  const types = readTypes(read.types);
  for (const [name, type] of [...types, ["binary", binary] as const]) {
    if (typeof type !== "string") refuseCostBeyond(rule, name, type);
  }
  return {
    types,
    binary,
    bounds: boundsIn(read),
    typeOf: typeof typeOf === "string" ? propertyReader(typeOf) : typeOf,
    dataOf: typeof dataOf === "string" ? propertyReader(dataOf) : (dataOf ?? whole),
    typeKey: typeof typeOf === "string" ? typeOf : "type",
    budget: rule,
    faults: readRule("faults", read.faults ?? { limit: 20, windowMs: 60_000 }),
    maxWaiting: read.maxWaiting ?? 64,
    showPaths: read.showPaths ?? false,
    onFault: typeof onFault === "function" ? onFault : () => onFault,
    onError: read.onError,
    now: () => performance.now(),
  };
}

const aMessageType = {
  expected: "what message({...}) makes",
  accepts: (value: unknown): boolean => isMessageType(value),
};

const isMessageType = (value: unknown): value is AnyMessageType =>
  typeof (Object(value) as Partial<AnyMessageType>).validate === "function" &&
  typeof (Object(value) as Partial<AnyMessageType>).allow === "function";

function readTypes(types: MessageTypes): ReadonlyMap<string, AnyMessageType> {
  for (const [name, type] of Object.entries(types)) {
    if (isMessageType(type)) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `messages: the type "${name}" must be made by message({ schema, allow }).`,
    );
  }
  return new Map(Object.entries(types));
}

const readRule = (name: string, rule: unknown): RateLimitRule =>
  readOptions<RateLimitRule>(
    `messages, "${name}"`,
    rule,
    { limit: aPositiveInteger, windowMs: aPositiveInteger },
    ["limit", "windowMs"],
  );

function refuseCostBeyond(
  budget: RateLimitRule | undefined,
  name: string,
  { cost }: AnyMessageType,
): void {
  if (budget === undefined || cost <= budget.limit) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    `messages: "${name}" costs ${cost}, more than the whole "budget" of ${budget.limit}, so it could never be sent. Raise "limit", or lower "cost".`,
  );
}

function boundsIn(
  read: Partial<JsonBounds> & { readonly insecureAllowKeys?: readonly string[] },
): JsonBounds {
  const { insecureAllowKeys = [] } = read;
  const unknown = insecureAllowKeys.find((key) => key !== "constructor" && key !== "prototype");
  if (unknown !== undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `messages: "insecureAllowKeys" takes "constructor" and "prototype" alone.`,
    );
  }
  return {
    maxBytes: read.maxBytes ?? defaultBounds.maxBytes,
    maxDepth: read.maxDepth ?? defaultBounds.maxDepth,
    maxKeys: read.maxKeys ?? defaultBounds.maxKeys,
    maxStringLength: read.maxStringLength ?? defaultBounds.maxStringLength,
    forbiddenKeys: defaultBounds.forbiddenKeys.filter((key) => !insecureAllowKeys.includes(key)),
  };
}

/** A property of the message's own, never what its prototype has. */
const propertyReader =
  (name: string) =>
  (message: unknown): unknown =>
    typeof message === "object" && message !== null && Object.hasOwn(message, name)
      ? (message as Readonly<Record<string, unknown>>)[name]
      : undefined;

const whole = (message: unknown): unknown => message;
