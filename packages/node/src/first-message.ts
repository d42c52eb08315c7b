import { ConfigError, type Handshake, type Identity, type MaybePromise } from "@firmshake/core";
import {
  aFunction,
  aPositiveInteger,
  aTimeoutMs,
  isMessageSocket,
  type MessageSocket,
  readOptions,
} from "@firmshake/core/gate";
import { awaitIdentity } from "./await-identity.ts";
import { acceptedRequestIn, handshakeOf } from "./connection.ts";
import type { Connection } from "./connections/guarded-socket.ts";
import type { SignedIn } from "./identity.ts";
import { parking } from "./parking.ts";

/** What {@link firstMessage} takes. `verify` is required. */
export interface FirstMessageOptions {
  /**
   * Tells who sent the text; undefined, null and false for nobody. The connection is as the handshake left it. What it throws, or rejects
   * with, refuses.
   */
  readonly verify: (
    text: string,
    connection: Connection,
  ) => MaybePromise<SignedIn | Identity | undefined | null | false>;
  /** How long authentication may take, in milliseconds from the hand-over on, whatever the client sends. Default 5,000. */
  readonly timeoutMs?: number;
  /** How many bytes the messages may have together. Default 8,192. */
  readonly maxBytes?: number;
  /** How many messages may come, to be tried one after the other. Default 1. */
  readonly maxMessages?: number;
  /** How many sockets may be unauthenticated at a time; more are closed with 1013. Default 1,000. */
  readonly maxUnauthenticated?: number;
  /** How many of them may come from one address (IPv6: one /56). Default 50. */
  readonly maxUnauthenticatedPerAddress?: number;
  /** Is told of each socket that was closed. What it throws, or rejects with, is dropped. */
  readonly onRefused?: (refused: RefusedFirst) => unknown;
}

/** A socket that did not authenticate itself. */
export interface RefusedFirst {
  readonly connection: Connection;
  /** What the client was closed with. */
  readonly closeCode: number;
  readonly closeReason: string;
  /** What `verify` failed with; never sent. */
  readonly cause: unknown;
}

/** Waits for the message that authenticates a socket; undefined where the socket is closed instead. */
export type AuthenticateFirst = (
  socket: MessageSocket,
  request: object,
) => Promise<Connection<{ readonly identity: Identity }> | undefined>;

/**
 * Authenticates accepted sockets by their first message, for protocols that cannot do it in the handshake. Call the function that it makes
 * in the library's `connection` event, before anything is awaited, and listen for messages as soon as its promise is resolved.
 *
 * - The time runs from the hand-over; nothing that a client sends makes it longer.
 * - Nothing that came before goes to the application: who sends more without waiting for an answer is closed.
 * - One close code (3000) and reason cover wrong, forged and expired alike.
 * - Afterwards `connectionOf(request).identity` is who was authenticated.
 *
 * @throws {@link ConfigError} for options that are not as above. What it makes throws `ERR_FIRMSHAKE_NOT_GUARDED` where no gate let the
 * request in, and `ERR_FIRMSHAKE_OPTION_INVALID` for a socket that it cannot listen to.
 * @see RFC 6455 §7.4 for the close codes
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, firstMessage, guard, origin, tokenVerifier } from "@firmshake/node";
 * import { WebSocketServer } from "ws";
 *
 * const authenticate = firstMessage({
 *   verify: tokenVerifier({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 * });
 * const server = createServer();
 * attach(server, { "/chat": guard(origin(["https://app.example.com"])) });
 * new WebSocketServer({ server, maxPayload: 65_536 }).on("connection", async (socket, request) => {
 *   const connection = await authenticate(socket, request);
 *   if (connection === undefined) return;
 *   socket.on("message", (data) => socket.send(`${connection.identity.subject}: ${data}`));
 *   socket.send("Welcome.");
 * });
 * ```
 */
export function firstMessage(options: FirstMessageOptions): AuthenticateFirst {
  const read = readOptions<FirstMessageOptions>(
    "firstMessage",
    options,
    {
      verify: aFunction,
      timeoutMs: aTimeoutMs,
      maxBytes: aPositiveInteger,
      maxMessages: aPositiveInteger,
      maxUnauthenticated: aPositiveInteger,
      maxUnauthenticatedPerAddress: aPositiveInteger,
      onRefused: aFunction,
    },
    ["verify"],
  );
  const { verify, timeoutMs = 5_000, maxBytes = 8_192, maxMessages = 1, onRefused } = read;
  const terms = { verify, timeoutMs, maxBytes, maxMessages, onRefused };
  const places = parking(read.maxUnauthenticated ?? 1_000, read.maxUnauthenticatedPerAddress ?? 50);

  return (socket, request) => {
    const accepted = acceptedRequestIn(request);
    if (!isMessageSocket(socket)) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_OPTION_INVALID",
        "firstMessage: give the WebSocket of the library's connection event; it needs close(), and on() with off(), or addEventListener().",
      );
    }
    const handshake = handshakeOf(accepted) as Handshake;
    const leave = places.hasRoomFor(handshake) ? places.enter(handshake) : undefined;
    return awaitIdentity(socket, accepted, terms, leave);
  };
}
