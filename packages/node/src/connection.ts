import type { IncomingMessage } from "node:http";
import {
  ConfigError,
  type Guard,
  type Handshake,
  type Identity,
  type Permit,
} from "@firmshake/core";
import { deciderOf, type LimitsTerm, limitsKind, spendPermit, termsOf } from "@firmshake/core/gate";
import { countFor, tightenFrames } from "./frames/guard-frames.ts";
import { makeStamp } from "./stamp.ts";

/** An accepted WebSocket, for as long as it lives. */
export interface Connection<Facts extends object = object> {
  /** The path that it was opened with, without the query. */
  readonly path: string;
  /** Everything that the checks have added. */
  readonly facts: Readonly<Facts>;
  /** Who was authenticated. */
  readonly identity: Facts extends { readonly identity: infer Known }
    ? Known
    : Identity | undefined;
  /** When it was handed over, in milliseconds since 1970. */
  readonly acceptedAt: number;
}

interface Accepted {
  readonly connection: Connection;
  /** The `decide` functions of the guards that let it in. */
  readonly guards: readonly (object | undefined)[];
}

// The handshake, with its header texts, goes with the request, which most libraries let go of; what stays with the socket is small.
const byRequest = makeStamp<Accepted & { readonly handshake: Handshake }>();
const bySocket = makeStamp<Accepted>();

/**
 * What the gate knows of an accepted WebSocket, found by the request (or the socket) that the library was given.
 *
 * With a guard, what its checks add is typed, and was really decided by that guard: a connection that another guard let in throws.
 *
 * @param request - The request that the library passes to its `connection` event, the socket under it, Fastify's request or Koa's context.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_GUARDED` where no gate, or another guard, let the request in.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, connectionOf, guard, jwt } from "@firmshake/node";
 * import { WebSocketServer } from "ws";
 *
 * const chat = guard(jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }));
 * const server = createServer();
 * attach(server, { "/chat": chat });
 * new WebSocketServer({ server }).on("connection", (socket, request) => {
 *   socket.send(`Welcome, ${connectionOf(request, chat).identity.subject}.`);
 * });
 * ```
 */
export function connectionOf(request: object): Connection;
export function connectionOf<Facts extends object>(
  request: object,
  guard: Pick<Guard<Facts>, "decide">,
): Connection<Facts>;
export function connectionOf(request: object, guard?: Pick<Guard, "decide">): Connection {
  const found = acceptedOf(request) ?? acceptedOf(nodeRequestIn(request));
  if (found === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_GUARDED",
      "connectionOf: no gate has let this request in. Give the request of the library's connection event, and call attach(server, …) before clients come.",
    );
  }
  if (guard !== undefined && !found.guards.includes(guard.decide)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_GUARDED",
      "connectionOf: another guard than the given one let this request in. Give the guard of its path, or none.",
    );
  }
  return found.connection;
}

const acceptedOf = (request: unknown): Accepted | undefined =>
  byRequest.of(request) ?? bySocket.of(request);

/** Frameworks keep Node's request in theirs: Fastify as `raw`, Koa as `req`. */
const nodeRequestIn = ({ raw, req }: { readonly raw?: unknown; readonly req?: unknown }): unknown =>
  raw ?? req;

/**
 * Remembers what is handed over. Gates that a request passes one after the other add up.
 *
 * @param socket - Only where it is this upgrade's alone: a socket that goes on with HTTP may carry another client's request next.
 */
export function rememberConnection(
  request: IncomingMessage,
  socket: object | undefined,
  permits: readonly Permit[],
): Connection {
  const before = byRequest.of(request);
  const [{ handshake, facts: own }] = permits as readonly [Permit];
  const isAlone = before === undefined && permits.length === 1;
  const all: readonly object[] = [
    before?.connection.facts ?? {},
    ...permits.map(({ facts }) => facts),
  ];
  const facts: { readonly identity?: Identity } = isAlone
    ? own
    : Object.freeze(Object.assign({}, ...all));
  const connection: Connection = Object.freeze({
    path: handshake.path,
    facts,
    identity: facts.identity,
    acceptedAt: before?.connection.acceptedAt ?? Date.now(),
  });
  const guards = [...(before?.guards ?? []), ...permits.map(deciderOf)];
  byRequest.put(request, { connection, guards, handshake });
  if (socket !== undefined) bySocket.put(socket, { connection, guards });
  return connection;
}

/** Adds what a guard has allowed after the hand-over, for libraries that send the request through the application once more. */
export function addPermit(request: IncomingMessage, permit: Permit): void {
  const handshake = handshakeOf(request) as Handshake;
  spendPermit(permit, handshake);
  const { socket } = request;
  const isOwn = bySocket.of(socket) !== undefined;
  const { identity } = rememberConnection(request, isOwn ? socket : undefined, [permit]);
  tightenFrames(socket, termsOf<LimitsTerm>(handshake, limitsKind));
  countFor(socket, identity);
}

/** Adds whom a message has authenticated after the hand-over. */
export function addIdentity(
  request: IncomingMessage,
  identity: Identity,
): Connection<{ readonly identity: Identity }> {
  const {
    connection: before,
    guards,
    handshake,
  } = byRequest.of(request) as Accepted & {
    readonly handshake: Handshake;
  };
  const facts = Object.freeze({ ...before.facts, identity });
  const connection = Object.freeze({ ...before, facts, identity });
  byRequest.put(request, { connection, guards, handshake });
  const { socket } = request;
  if (bySocket.of(socket) !== undefined) bySocket.put(socket, { connection, guards });
  countFor(socket, identity);
  return connection;
}

/**
 * Node's request that a gate has let in, itself or within a framework's.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_GUARDED`
 */
export function acceptedRequestIn(request: object): IncomingMessage {
  connectionOf(request);
  const found = [request, nodeRequestIn(request)].find((one) => byRequest.of(one) !== undefined);
  if (found === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_GUARDED",
      "Give the request of the library's connection event, not the socket under it.",
    );
  }
  return found as IncomingMessage;
}

/** The handshake of a request that a gate has handed over. */
export const handshakeOf = (request: IncomingMessage): Handshake | undefined =>
  byRequest.of(request)?.handshake;

/** Whether the guard is one of those that let the request in. */
export const wasPermittedBy = (
  request: IncomingMessage,
  { decide }: Pick<Guard, "decide">,
): boolean => byRequest.of(request)?.guards.includes(decide) ?? false;
