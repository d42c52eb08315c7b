import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  ConfigError,
  type Handshake,
  type LifetimeOptions,
  type LimitsOptions,
  type PathPattern,
  type ProxyTrust,
  type TrustedProxiesOptions,
  trustedProxies,
} from "@firmshake/core";
import {
  aCount,
  aFunction,
  anObject,
  anything,
  aPositiveInteger,
  aTextList,
  aTimeoutMs,
  compileRanges,
  describeLifetime,
  describeLimits,
  oneOf,
  parsePeerAddress,
  readAddressRanges,
  readLifetimeOptions,
  readLimits,
  readOptions,
  strictestLifetime,
} from "@firmshake/core/gate";
import { ignore } from "./answer-on-socket.ts";
import type { RefuseOption } from "./closing-answer.ts";
import { type Clock, isClock, processClock } from "./connections/clock.ts";
import type { CloseEvent } from "./connections/close-event.ts";
import {
  type Drained,
  type DrainOptions,
  drainRegistry,
  readDrainOptions,
} from "./connections/drain.ts";
import { type Connections, openConnections } from "./connections/open-connections.ts";
import { Registry } from "./connections/registry.ts";
import {
  isRevocationList,
  type RevocationList,
  type Revocations,
  revocations,
} from "./connections/revocations.ts";
import type { DecisionEvent } from "./decision-event.ts";
import { defaultLimits } from "./frames/frame-rules.ts";
import { type Holding, holdUpgrade } from "./held-upgrade.ts";
import { isExtendedConnect } from "./http2/extended-connect.ts";
import { noWebSocket } from "./http2/stream-socket.ts";
import { refuseStream, streamTarget } from "./http2/stream-target.ts";
import { headerLinesKeptBy } from "./node-handshake.ts";
import { type OverloadOptions, watchLoad } from "./overload.ts";
import { parking } from "./parking.ts";
import { type PollingOption, pollingTest } from "./polling-request.ts";
import type { UpgradeHandler } from "./ruling.ts";
import { requestTarget, socketTarget } from "./target.ts";
import { conductOf, type Violations } from "./violations/violations.ts";
import { asksForWebSocket, headerLinesOf } from "./websocket-request.ts";

/** What a gate may be told. */
export interface GateOptions {
  /** Which peers' forwarding headers count. Default: nobody's. */
  readonly trustProxy?: ProxyTrust | TrustedProxiesOptions | readonly string[];
  /** How long a decision may take, in milliseconds; then 503. Default 5,000. */
  readonly decisionTimeoutMs?: number;
  /** How many handshakes may wait for a decision; more get 503 before any check runs. Default 1,000. */
  readonly maxPending?: number;
  /** How many of them may come from one address (IPv6: one /56). Default 50. */
  readonly maxPendingPerAddress?: number;
  /** How many bytes a client may send before it is answered. Default 65,536; 0 allows none. */
  readonly maxEarlyBytes?: number;
  /**
   * Which requests of HTTP fallbacks are held beside upgrades, and pass the same policy. `auto` (the default): those of Socket.IO and
   * Engine.IO, known by `transport=polling` in the query. A list of paths, such as `["/echo/*"]` for SockJS: whatever goes there as well.
   * `false`: none.
   */
  readonly polling?: "auto" | false | readonly PathPattern[];
  /**
   * How refusals are said. `http` (the default): by an HTTP answer, of which browsers show a page nothing. `close`: the WebSocket is opened
   * and at once closed, with the close code and the reason of `docs/errors.md`. `auto`: so to pages whose origin the policy's own check
   * has let in, and by HTTP to everybody else. What is no valid handshake, and polling, is always answered by HTTP.
   */
  readonly refuse?: RefuseOption;
  /** What the frames of accepted connections are held to, where their guards do not say otherwise by `limits(...)`. */
  readonly limits?: LimitsOptions;
  /** Peers whose connections are cut at once, before TLS and before HTTP is parsed: addresses, CIDR blocks, range names. */
  readonly denyPeers?: readonly string[];
  /**
   * When the process has more to do than it can: from there on new handshakes get 503 with `Retry-After` before any check runs, so that what
   * is left serves who is connected. Default: no limit.
   */
  readonly overload?: OverloadOptions;
  /** What adds up what clients do against the rules, and keeps them out. Default: nothing does. */
  readonly violations?: Violations;
  /**
   * Is told what became of each handshake. What it throws, or rejects with, is dropped: recording never breaks a handshake. The event is ready to be
   * logged; the handshake, by which to find what belongs to it elsewhere, holds what the client sent.
   */
  readonly onDecision?: (event: DecisionEvent, handshake: Handshake) => unknown;
  /** How long connections may live, where the guards that let them in do not say otherwise. As for the check `lifetime`. */
  readonly lifetime?: LifetimeOptions;
  /** What was revoked, where several gates or processes are to know. Default: a list of the gate's own. */
  readonly revocations?: Revocations;
  /**
   * Is told of each connection that the gate, or the application by `close`, has closed. What it throws, or rejects with, is dropped.
   */
  readonly onClose?: (event: CloseEvent) => unknown;
  /** How `drain()` goes where it is told nothing, as when Fastify closes. */
  readonly drain?: DrainOptions;
  /** By which time connections are guarded, for tests. Default: the process's. */
  readonly clock?: Clock;
}

/** What stands in front of a server's WebSocket libraries. */
export interface Gate {
  /** How many handshakes wait for a decision. */
  readonly pending: number;
  /** Takes the gate away. Upgrades reach the libraries as they did before; those that wait are refused. */
  readonly detach: () => void;
  /** Refuses all upgrades from now on, with 503, and those that wait. Accepted connections stay. */
  readonly close: () => void;
  /**
   * Refuses all upgrades from now on, and closes what is open: all at once, or spread over time. Resolves when the last socket is gone, and
   * cuts off what is not gone in time. Called again, it answers with the same promise.
   *
   * @throws {@link ConfigError} for options that are not as described.
   */
  readonly drain: (options?: DrainOptions) => Promise<Drained>;
  /** The WebSockets that were accepted, and are open: of all gates of the server. */
  readonly connections: Connections;
  /** The policy in words. */
  readonly explain: () => string;
}

const gates = new WeakMap<object, number>();

/** Whether a gate stands in front of the server. */
export const isAttached = (server: object | undefined): boolean =>
  server !== undefined && (gates.get(server) ?? 0) > 0;

/**
 * Sits on the instance's `emit`, as a property that is not enumerable: listeners stay the user's own, in their order, whenever they are
 * added. A listener could not gate: the others would run all the same.
 */
export function openGate(
  server: Server,
  handler: UpgradeHandler,
  explain: () => string,
  options: GateOptions,
): Gate {
  const read = readGateOptions(options);
  const isDeniedPeer = read.denyPeers && compileRanges(readAddressRanges("attach", read.denyPeers));
  const conduct = read.violations && conductOf(read.violations);
  const load = read.overload && watchLoad(read.overload);
  const limits = readLimits("attach: limits", read.limits ?? {});
  const { clock = processClock } = read;
  const lifetime = readLifetimeOptions("attach: lifetime", read.lifetime ?? {});
  const drain = readDrainOptions(read.drain ?? {});
  const places = parking(read.maxPending ?? 1_000, read.maxPendingPerAddress ?? 50);
  const revoked = (read.revocations ?? revocations({ now: clock.now })) as RevocationList;
  const registry = registryOf(server, clock);
  const hooks = { lifetime, revocations: revoked, conduct, onClose: read.onClose };
  registry.addHooks(hooks);
  const holding: Holding = {
    handler,
    places,
    trust: read.trustProxy === undefined ? undefined : trustedProxies(read.trustProxy),
    maxHeaderLines: () => headerLinesKeptBy(server),
    decisionTimeoutMs: read.decisionTimeoutMs ?? 5_000,
    maxEarlyBytes: read.maxEarlyBytes ?? 65_536,
    refuseBy: read.refuse ?? "http",
    limits,
    onDecision: read.onDecision,
    waiting: new Set(),
    isClosed: () => state === "closed",
    load,
    conduct,
    registry,
  };
  const isPolling = pollingTest(read.polling ?? "auto");
  let state: "open" | "closed" | "detached" = "open";
  let drained: Promise<Drained> | undefined;

  const passOn = server.emit;
  const ownEmit = Object.getOwnPropertyDescriptor(server, "emit");

  function emit(this: unknown, event: string | symbol, ...args: unknown[]): boolean {
    if (state !== "detached") {
      if (event === "upgrade") return onUpgrade(args);
      if (event === "request") return onRequest(args);
      if (event === "connection" && isDenied(args[0] as Socket)) return true;
      if (event === "stream" && isExtendedConnect(args[1] as IncomingHttpHeaders | undefined)) {
        return onExtendedConnect(args);
      }
    }
    return Reflect.apply(passOn, server, [event, ...args]);
  }

  /** Other protocols go where they would have gone without a gate, and so does what nobody listens for. */
  function onUpgrade(args: unknown[]): boolean {
    const [request, socket, head] = args as [IncomingMessage, Duplex, Buffer | undefined];
    const proceed = (early = head): boolean =>
      Reflect.apply(passOn, server, [
        "upgrade",
        ...(early === head ? args : [request, socket, early]),
      ]);
    const headerLines = headerLinesOf(request);
    // Of too many header lines Node drops some, and Upgrade may be among them; then it is held too, and refused.
    const isHeld =
      asksForWebSocket(headerLines) ||
      headerLines.length / 2 >= holding.maxHeaderLines() ||
      // Whatever it wants to be upgraded to: Engine.IO would look at it as if it were a WebSocket.
      isPolling(request);
    if (!isHeld || server.listenerCount("upgrade") === 0) return proceed();
    return holdUpgrade(holding, socketTarget(request, socket, head, proceed));
  }

  /** Node sends upgrades here when nobody listens for them, and some libraries accept them here; and polling is nothing but requests. */
  function onRequest(args: unknown[]): boolean {
    const [request, response] = args as [IncomingMessage, ServerResponse];
    const proceed = (): boolean => Reflect.apply(passOn, server, ["request", ...args]);
    const transport = asksForWebSocket(headerLinesOf(request))
      ? "websocket"
      : isPolling(request)
        ? "polling"
        : undefined;
    if (transport === undefined) return proceed();
    return holdUpgrade(holding, requestTarget(transport, request, response, proceed));
  }

  /** HTTP/2 gives WebSockets out as streams (RFC 8441): an upgrade is made of them, and other protocols are seen by nobody. */
  function onExtendedConnect(args: unknown[]): boolean {
    const [stream, headers, , rawHeaders] = args as StreamEvent;
    stream.on("error", ignore);
    if (stream.destroyed || stream.closed) return true;
    const isTaken = headers[":protocol"] === "websocket" && server.listenerCount("upgrade") > 0;
    if (!isTaken || !Array.isArray(rawHeaders)) {
      refuseStream(stream, noWebSocket);
      return true;
    }
    const emitUpgrade = (...upgrade: unknown[]): boolean =>
      Reflect.apply(passOn, server, ["upgrade", ...upgrade]);
    return holdUpgrade(holding, streamTarget(server, stream, rawHeaders, emitUpgrade));
  }

  function isDenied(socket: Socket): boolean {
    const peer = isDeniedPeer && parsePeerAddress(socket.remoteAddress);
    if (peer === undefined || !isDeniedPeer?.(peer)) return false;
    socket.on("error", ignore);
    socket.destroy();
    return true;
  }

  Object.defineProperty(server, "emit", {
    value: emit,
    writable: true,
    configurable: true,
    enumerable: false,
  });
  gates.set(server, (gates.get(server) ?? 0) + 1);

  function refuseWaiting(): void {
    for (const shutDown of [...holding.waiting]) shutDown();
  }

  function close(): void {
    if (state === "open") state = "closed";
    refuseWaiting();
  }

  return {
    get pending() {
      return places.size;
    },
    connections: openConnections(registry, revoked),
    explain: () =>
      [
        `${explain()}\n`,
        `accepted connections: ${describeLimits({ ...defaultLimits, ...limits })}`,
        `their lifetime: ${describeLifetime(strictestLifetime([], lifetime))}`,
      ].join("\n"),
    close,
    drain: (wish) => {
      const asked = wish === undefined ? drain : readDrainOptions(wish);
      close();
      drained ??= drainRegistry(registry, asked);
      return drained;
    },
    detach: () => {
      if (state === "detached") return;
      state = "detached";
      registry.removeHooks(hooks);
      gates.set(server, (gates.get(server) ?? 1) - 1);
      load?.stop();
      refuseWaiting();
      // Somebody may have wrapped this emit since; then it stays, and passes everything on.
      if (server.emit !== emit) return;
      if (ownEmit === undefined) Reflect.deleteProperty(server, "emit");
      else Object.defineProperty(server, "emit", ownEmit);
    },
  };
}

const aPollingOption = {
  expected: `"auto", false, or a non-empty list of paths`,
  accepts: (value: unknown): value is PollingOption =>
    value === "auto" || value === false || aTextList.accepts(value),
};
type StreamEvent = [
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: readonly string[] | undefined,
];

function readGateOptions(options: GateOptions): GateOptions {
  return readOptions<GateOptions>("attach", options, {
    trustProxy: anything,
    decisionTimeoutMs: aTimeoutMs,
    maxPending: aPositiveInteger,
    maxPendingPerAddress: aPositiveInteger,
    maxEarlyBytes: aCount,
    polling: aPollingOption,
    refuse: oneOf("http", "close", "auto"),
    limits: anything,
    denyPeers: aTextList,
    overload: anObject,
    violations: anObject,
    onDecision: aFunction,
    lifetime: anObject,
    revocations: { expected: "what revocations(...) has made", accepts: isRevocationList },
    onClose: aFunction,
    drain: anObject,
    clock: { expected: "a clock: { now, monotonic, after }", accepts: isClock },
  });
}

const registries = new WeakMap<object, Registry>();

/** Gates of one server see the same upgrades, and so the same connections. */
function registryOf(server: object, clock: Clock): Registry {
  const known = registries.get(server);
  if (known !== undefined && known.clock !== clock && isAttached(server)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `attach: another gate of this server goes by another "clock".`,
    );
  }
  const registry = known?.clock === clock ? known : new Registry(clock);
  registries.set(server, registry);
  return registry;
}
