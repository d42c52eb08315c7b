import type { IncomingMessage } from "node:http";
import {
  ConfigError,
  type Guard,
  type Handshake,
  type Identity,
  type Permit,
} from "@firmshake/core";
import {
  type ConnectionTerm,
  deciderOf,
  hasTrust,
  type LifetimeTerm,
  type LimitsTerm,
  limitsKind,
  spendPermit,
  termsOf,
  termsSoFar,
} from "@firmshake/core/gate";
import { type Connection, GuardedSocket, guardedOf } from "./connections/guarded-socket.ts";
import { isPlace } from "./connections/place.ts";
import { guardedOnSocket, type Registry } from "./connections/registry.ts";
import { countFor, tightenFrames } from "./frames/guard-frames.ts";
import { makeStamp } from "./stamp.ts";
import type { Target } from "./target.ts";

// The handshake, with its header texts, goes with the request, which most libraries let go of; what stays with the socket is small.
const byRequest = makeStamp<Accepted>();

interface Accepted {
  readonly guarded: GuardedSocket;
  /** Each gate on the way makes one of its own; all that was said of any of them holds. */
  readonly handshakes: readonly [Handshake, ...Handshake[]];
}

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
  const found = guardedIn(request);
  if (found === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_GUARDED",
      "connectionOf: no gate has let this request in. Give the request of the library's connection event, and call attach(server, …) before clients come.",
    );
  }
  if (guard !== undefined && !found.wasLetInBy(guard.decide)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_GUARDED",
      "connectionOf: another guard than the given one let this request in. Give the guard of its path, or none.",
    );
  }
  return found.view;
}

/** What a gate keeps of a request, the socket under it, a framework's request, or a connection. */
export const guardedIn = (given: object): GuardedSocket | undefined =>
  acceptedOf(given) ?? acceptedOf(nodeRequestIn(given)) ?? guardedOf(given);

const acceptedOf = (request: unknown): GuardedSocket | undefined =>
  byRequest.of(request)?.guarded ?? guardedOnSocket(request);

/** Frameworks keep Node's request in theirs: Fastify as `raw`, Koa as `req`. */
const nodeRequestIn = ({ raw, req }: { readonly raw?: unknown; readonly req?: unknown }): unknown =>
  raw ?? req;

/** Remembers what is handed over. Gates that a request passes one after the other add up. */
export function rememberConnection(
  registry: Registry,
  { request, ownSocket, socket, transport, response }: Target,
  permits: readonly Permit[],
): GuardedSocket {
  const known = byRequest.of(request);
  const [{ handshake }] = permits as readonly [Permit];
  if (known !== undefined) {
    const { guarded } = known;
    const handshakes = [...known.handshakes, handshake] as const;
    byRequest.put(request, { guarded, handshakes });
    extend(guarded, handshakes, permits, termsSoFar(handshake));
    return guarded;
  }
  const deciders = permits.map(deciderOf) as readonly object[];
  const rules = registry.rulesFor(termsOf<LifetimeTerm>(handshake, "lifetime"));
  const guarded = new GuardedSocket(
    registry.admissionBy(deciders, rules),
    // Of a socket that carries requests, a gate knows by the response alone for how long it is this WebSocket's.
    ownSocket ?? (transport === "websocket" ? socket : undefined),
    registry.shared(handshake.path),
    hasTrust(handshake) || ownSocket === undefined ? handshake.clientAddress : undefined,
    factsOf(permits),
  );
  byRequest.put(request, { guarded, handshakes: [handshake] });
  registry.add(guarded, ownSocket === undefined ? response : undefined);
  registry.addTerms(guarded, toRelease(termsSoFar(handshake)));
  admit(guarded);
  return guarded;
}

function factsOf(permits: readonly Permit[], before: object = {}): GuardedSocket["facts"] {
  const [only, ...others] = permits;
  if (only !== undefined && others.length === 0 && Object.keys(before).length === 0) {
    return only.facts;
  }
  return Object.freeze(Object.assign({}, before, ...permits.map(({ facts }) => facts)));
}

/** What further guards have let in. */
function extend(
  guarded: GuardedSocket,
  handshakes: readonly Handshake[],
  permits: readonly Permit[],
  added: readonly ConnectionTerm[],
): void {
  const { registry } = guarded;
  guarded.facts = factsOf(permits, guarded.facts);
  const guards = [...guarded.admission.guards, ...(permits.map(deciderOf) as readonly object[])];
  const terms = handshakes.flatMap((one) => termsOf<LifetimeTerm>(one, "lifetime"));
  const rules = terms.length > 0 ? registry.rulesFor(terms) : guarded.rules;
  const isOther = rules !== guarded.rules;
  guarded.admission = registry.admissionBy(guards, rules);
  if (isOther) registry.setAge(guarded);
  registry.addTerms(guarded, toRelease(added));
  registry.changed(guarded);
  admit(guarded);
}

const nothingToRelease: readonly ConnectionTerm[] = Object.freeze([]);

function toRelease(terms: readonly ConnectionTerm[]): readonly ConnectionTerm[] {
  const kept = terms.filter(({ release }) => release !== undefined);
  return kept.length === 0 ? nothingToRelease : kept;
}

/** Places that were taken for the handshake are the connection's from now on. */
function admit(guarded: GuardedSocket): void {
  for (const term of guarded.terms) if (isPlace(term)) term.admit(guarded);
}

/**
 * Adds what a guard has allowed after the hand-over, for libraries that send the request through the application once more.
 *
 * @param before - What was asked of the connection before the guard decided.
 */
export function addPermit(
  request: IncomingMessage,
  permit: Permit,
  before: readonly ConnectionTerm[],
): void {
  const { guarded, handshakes } = acceptedAs(request);
  const [handshake] = handshakes;
  spendPermit(permit, handshake);
  extend(guarded, handshakes, [permit], termsSoFar(handshake).slice(before.length));
  const { socket } = guarded;
  if (socket === undefined) return;
  tightenFrames(socket, termsOf<LimitsTerm>(handshake, limitsKind));
  countFor(socket, guarded.identity);
}

/** Adds whom a message has authenticated after the hand-over. False where his tokens are worth nothing any more. */
export function addIdentity(request: IncomingMessage, identity: Identity): boolean {
  const { guarded } = acceptedAs(request);
  if (guarded.registry.isRevoked(identity)) return false;
  guarded.facts = Object.freeze({ ...guarded.facts, identity });
  guarded.registry.changed(guarded);
  if (guarded.socket !== undefined) countFor(guarded.socket, identity);
  return true;
}

/** By the clock that the request's connection is guarded by. */
export const timeOfDayFor = (request: IncomingMessage): number =>
  acceptedAs(request).guarded.registry.clock.now();

const acceptedAs = (request: IncomingMessage): Accepted => byRequest.of(request) as Accepted;

/**
 * Node's request that a gate has let in, itself or within a framework's.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_GUARDED`
 */
export function acceptedRequestIn(request: object): IncomingMessage {
  connectionOf(request);
  const found = requestWithin(request);
  if (found === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_GUARDED",
      "Give the request of the library's connection event, not the socket under it.",
    );
  }
  return found;
}

const requestWithin = (request: object): IncomingMessage | undefined =>
  [request, nodeRequestIn(request)].find((one) => byRequest.of(one) !== undefined) as
    | IncomingMessage
    | undefined;

/** The handshake of a request that a gate has handed over, itself or within a framework's. */
export const handshakeIn = (request: object): Handshake | undefined => {
  const found = requestWithin(request);
  return found && handshakeOf(found);
};

/** The handshake of a request that a gate has handed over: that of the first, where there are several. */
export const handshakeOf = (request: IncomingMessage): Handshake | undefined =>
  byRequest.of(request)?.handshakes[0];

/** Whether the guard is one of those that let the request in. */
export const wasPermittedBy = (
  request: IncomingMessage,
  { decide }: Pick<Guard, "decide">,
): boolean => byRequest.of(request)?.guarded.wasLetInBy(decide) ?? false;
