import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { answerOf, ConfigError, type Identity, refuse } from "@firmshake/core";
import { accountKey, aFunction, issuerOf, readOptions } from "@firmshake/core/gate";
import { refuseOnSocket } from "./answer-on-socket.ts";
import { connectionOf } from "./connection.ts";

/** The parts of a Socket.IO server (4.6 or newer) that are used. */
export interface SocketIoServer {
  readonly engine: EngineServer;
  readonly of: (name: string) => SocketIoNamespace;
  readonly on: (
    event: "new_namespace",
    listener: (namespace: SocketIoNamespace) => void,
  ) => unknown;
}

/** The parts of an Engine.IO server that are used. */
export interface EngineServer {
  readonly use: (middleware: never) => void;
  readonly on: (event: string, listener: never) => unknown;
}

/** The parts of a namespace that are used. */
export interface SocketIoNamespace {
  readonly adapter: object;
  readonly sockets: ReadonlyMap<string, { readonly request: object }>;
  readonly on: (event: "connection", listener: never) => unknown;
}

/** What {@link bindSessions} takes besides the server. */
export interface BindSessionsOptions {
  /** Is told of each attempt. What it throws is dropped. Default: a process warning, the first time. */
  readonly onForeign?: (attempt: ForeignAttempt) => unknown;
}

/** Somebody came with the secret id of another's session, and was refused it. */
export interface ForeignAttempt {
  /** `request`: a poll, or the move to a WebSocket. `recovery`: the state of a session that had been cut off. */
  readonly kind: "request" | "recovery";
  /** Who came; undefined where the policy finds no identity, or no gate let the request in. */
  readonly identity: Identity | undefined;
}

/**
 * Binds each session of Socket.IO to the identity that opened it. Ids of sessions are secrets, but they are all that Socket.IO asks for.
 *
 * - Polls of a session, and its move to a WebSocket, are refused with 403 to anybody else.
 * - `connectionStateRecovery` gives rooms, `socket.data` and missed messages to nobody else: who comes with the private id of another's
 *   session, or of one whose owner is not known, is connected as a new client, through all middlewares, with `recovered: false`.
 *
 * Call it right behind `new Server(...)` and `io.adapter(...)`.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_SERVER_INVALID` for what is no Socket.IO server, or is on no HTTP server yet.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, bindSessions, guard, jwt, origin } from "@firmshake/node";
 * import { Server } from "socket.io";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 * );
 * const server = createServer();
 * attach(server, { "/socket.io/*": chat });
 * const io = new Server(server, { connectionStateRecovery: {} });
 * bindSessions(io);
 * io.close();
 * ```
 */
export function bindSessions(io: SocketIoServer, options: BindSessionsOptions = {}): void {
  refuseNoSocketIo(io);
  const { onForeign = warnOnce } = readOptions<BindSessionsOptions>("bindSessions", options, {
    onForeign: aFunction,
  });
  const report = (kind: ForeignAttempt["kind"], request: object): void => {
    try {
      onForeign({ kind, identity: identityOf(request) });
    } catch {
      // As in the gate: recording must not decide about connections.
    }
  };
  const asking = bindRequests(io.engine, report);
  const bind = (namespace: SocketIoNamespace): void => bindRecovery(namespace, asking, report);
  for (const namespace of namespacesOf(io)) bind(namespace);
  io.on("new_namespace", bind as never);
}

type Report = (kind: ForeignAttempt["kind"], request: object) => void;

/** A session of Engine.IO. */
interface EngineSocket {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly prependListener: (event: "data", listener: () => void) => unknown;
  readonly once: (event: "close", listener: () => void) => unknown;
}

/** Answers with what tells whose message is being read at this very moment. */
function bindRequests(engine: EngineServer, report: Report): () => EngineSocket | undefined {
  const owners = new Map<string, string | undefined>();
  let speaking: EngineSocket | undefined;
  const forget = (): void => {
    speaking = undefined;
  };

  const onConnection = (socket: EngineSocket): void => {
    // WebTransport has no request, and passes no gate.
    owners.set(socket.id, ownerIn(socket.request));
    socket.once("close", () => void owners.delete(socket.id));
    socket.prependListener("data", () => {
      speaking = socket;
      // What Socket.IO does later is not known to be for this socket.
      queueMicrotask(forget);
    });
  };
  const onRequest = (
    request: IncomingMessage,
    response: ServerResponse,
    next: () => void,
  ): void => {
    const id = sessionIn(request.url ?? "");
    if (id === undefined || !owners.has(id) || owners.get(id) === ownerIn(request)) return next();
    report("request", request);
    refuseRequest(request, response);
  };
  engine.on("connection", onConnection as never);
  engine.use(onRequest as never);
  return () => speaking;
}

/** As Engine.IO reads it: the last one counts. */
const sessionIn = (url: string): string | undefined =>
  new URLSearchParams(url.slice(url.indexOf("?") + 1)).getAll("sid").at(-1);

const foreign = refuse("forbidden", "This session is another's.");

/** Engine.IO's own way to refuse would be 400, and for an upgrade no answer that is sure to arrive. */
function refuseRequest({ headers }: IncomingMessage, response: ServerResponse): void {
  if (headers.upgrade !== undefined) {
    const { socket } = response as { readonly socket: Duplex | null };
    if (socket !== null) refuseOnSocket(socket, foreign);
    return;
  }
  const { status, headers: lines, body } = answerOf(foreign);
  const length = String(Buffer.byteLength(body));
  response.writeHead(status, [...lines.flat(), "Content-Length", length]);
  response.end(body);
}

/** What an adapter keeps of a session that was cut off. */
interface Session {
  readonly sid: string;
  readonly data: unknown;
}

interface SessionAdapter {
  persistSession: (session: Session) => void;
  restoreSession: (id: string, offset: string) => Promise<Session | null> | null;
}

/** The owner is kept beside the data, so that it goes through whatever store the adapter has, and applications cannot lose it. */
interface OwnedData {
  readonly firmshakeOwner: string;
  readonly data: unknown;
}

/**
 * The adapter is where it has to happen: Socket.IO sends missed messages before any middleware runs, and skips those by default.
 */
function bindRecovery(
  namespace: SocketIoNamespace,
  asking: () => EngineSocket | undefined,
  report: Report,
): void {
  const adapter = namespace.adapter as SessionAdapter;
  const { persistSession, restoreSession } = adapter;
  const restored = new Set<string>();

  adapter.persistSession = (session) => {
    const owner = ownerIn(namespace.sockets.get(session.sid)?.request);
    // Nobody could have it back.
    if (owner === undefined) return;
    const data: OwnedData = { firmshakeOwner: owner, data: session.data };
    persistSession.call(adapter, { ...session, data });
  };
  adapter.restoreSession = async (id, offset) => {
    const socket = asking();
    const session = await restoreSession.call(adapter, id, offset);
    if (!session) return null;
    const { firmshakeOwner, data } = (session.data ?? {}) as Partial<OwnedData>;
    const isOwner = firmshakeOwner !== undefined && firmshakeOwner === ownerIn(socket?.request);
    if (socket === undefined || !isOwner) {
      report("recovery", socket?.request ?? {});
      return null;
    }
    restored.add(session.sid);
    socket.once("close", () => void restored.delete(session.sid));
    return { ...session, data };
  };
  const onConnection = (socket: RecoverableSocket): void => {
    // An adapter that was put in later knows nothing of owners.
    if (socket.recovered !== true || restored.delete(socket.id)) return;
    report("recovery", socket.request);
    socket.disconnect(true);
  };
  namespace.on("connection", onConnection as never);
}

interface RecoverableSocket {
  readonly id: string;
  readonly recovered?: boolean;
  readonly request: IncomingMessage;
  readonly disconnect: (close: boolean) => unknown;
}

/** A subject means something only together with who vouches for it; a policy without identities has one owner for all. */
function ownerIn(request: object | undefined | null): string | undefined {
  if (!wasLetIn(request)) return undefined;
  const identity = identityOf(request);
  if (identity === undefined) return "nobody";
  return `${identity.scheme} ${accountKey(identity.subject, issuerOf(identity))}`;
}

function identityOf(request: object): Identity | undefined {
  return wasLetIn(request) ? connectionOf(request).identity : undefined;
}

function wasLetIn(request: object | undefined | null): request is object {
  try {
    return connectionOf(request as object) !== undefined;
  } catch {
    return false;
  }
}

let hasWarned = false;

function warnOnce(): void {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(
    "Somebody came with the id of another's Socket.IO session and was refused it. Give bindSessions(io, { onForeign }) to be told each time.",
    { code: "FIRMSHAKE_FOREIGN_SESSION" },
  );
}

/** Those that were there before; Socket.IO does not list them but in a field of its own. */
function namespacesOf(io: SocketIoServer): Iterable<SocketIoNamespace> {
  const { _nsps } = io as { readonly _nsps?: unknown };
  return _nsps instanceof Map ? _nsps.values() : [io.of("/")];
}

function refuseNoSocketIo(io: Partial<SocketIoServer> | undefined): void {
  const { of, on, engine } = io ?? {};
  if ([of, on, engine?.use, engine?.on].every((one) => typeof one === "function")) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_SERVER_INVALID",
    "bindSessions: give the Socket.IO server (4.6 or newer), once it is on its HTTP server: bindSessions(new Server(server)).",
  );
}
