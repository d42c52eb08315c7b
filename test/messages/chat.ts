import { once } from "node:events";
import { createServer } from "node:http";
import {
  type BinaryPolicy,
  everybody,
  type MessagesOptions,
  type MessageTypes,
  message,
  messages,
} from "@firmshake/messages";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import { listen, openWebSocket } from "../support/server.ts";

/** A message that anybody may send. */
export const say = message({ schema: z.object({ text: z.string().max(20) }), allow: everybody });

/** What a client sees of one connection. */
export interface Client {
  readonly socket: WebSocket;
  /** Everything that came, parsed. */
  readonly heard: readonly unknown[];
  /** Sends text as it is, values as JSON, bytes as a binary message. */
  readonly send: (...all: readonly unknown[]) => void;
  /** Once so many messages have come. */
  readonly hear: (count: number) => Promise<readonly unknown[]>;
  readonly closed: Promise<readonly [code: number, reason: string]>;
}

export async function connect(url: string): Promise<Client> {
  const socket = await openWebSocket(url);
  const heard: unknown[] = [];
  let tell: (() => void) | undefined;
  socket.on("message", (data) => {
    heard.push(JSON.parse(String(data)));
    tell?.();
  });
  return {
    socket,
    heard,
    send: (...all) => {
      for (const one of all) socket.send(isSendable(one) ? one : JSON.stringify(one));
    },
    hear: async (count) => {
      while (heard.length < count) {
        await new Promise<void>((resolve) => {
          tell = resolve;
        });
      }
      return heard;
    },
    closed: once(socket, "close").then(
      ([code, reason]) => [code as number, String(reason)] as const,
    ),
  };
}

const isSendable = (one: unknown): one is string | Buffer =>
  typeof one === "string" || Buffer.isBuffer(one);

export interface Chat {
  readonly url: string;
  /** What reached handlers, in its order: the type and the data. */
  readonly handled: readonly (readonly [type: string, data: unknown])[];
  /** What was thrown. */
  readonly errors: readonly unknown[];
}

type Options = Partial<MessagesOptions<MessageTypes, BinaryPolicy>>;
type Handle = (data: unknown, type: string, socket: WebSocket) => unknown;

/** A `ws` server whose handlers tell the client what they were given, unless the test has others. */
export async function chat(
  options: Options = {},
  handle: Handle = (data, type, socket) => socket.send(JSON.stringify({ type, data })),
  connection: object = {},
): Promise<Chat> {
  const handled: (readonly [string, unknown])[] = [];
  const errors: unknown[] = [];
  const types = options.types ?? { say };
  const protocol = messages({
    onError: (error) => void errors.push(error),
    ...options,
    types,
  } as MessagesOptions<MessageTypes, BinaryPolicy>);
  const server = createServer();
  new WebSocketServer({ server }).on("connection", (socket) => {
    const handler = (type: string) => (data: unknown) => {
      handled.push([type, data]);
      return handle(data, type, socket);
    };
    const on = Object.fromEntries(Object.keys(types).map((type) => [type, handler(type)]));
    const onBinary = typeof options.binary === "object" ? handler("binary") : undefined;
    protocol.listen(socket, { connection, on, onBinary } as never);
  });
  return { url: `ws://127.0.0.1:${await listen(server)}`, handled, errors };
}
