import type { IncomingMessage } from "node:http";
import {
  type Clock,
  type CloseEvent,
  type Connection,
  closeKinds,
  type Gate,
  type GateOptions,
  revocations,
} from "@firmshake/node";
import { lifetimeSeconds } from "../issuer.ts";
import type { CloseView, ConnectionView, OpenView, Traffic } from "../protocol.ts";
import { createTrafficCounter, type TrafficCounter } from "./traffic.ts";
import { createTrafficRates } from "./traffic-rates.ts";

/** What is open behind a gate, what it has closed lately, and who wants to know. */
export interface ConnectionLog {
  readonly gateOptions: Pick<GateOptions, "onClose" | "revocations" | "clock">;
  readonly onHandOver: TrafficCounter["onHandOver"];
  readonly onMessage: TrafficCounter["onMessage"];
  /** Something else is open, or is open otherwise. */
  readonly changed: () => void;
  readonly open: () => OpenView;
  readonly closed: () => readonly CloseView[];
  /** Returns how to stop. */
  readonly subscribe: (listener: ConnectionListener) => () => void;
}

/** Is told as soon as something changes, and each second of what has come meanwhile. */
export interface ConnectionListener {
  readonly onOpen: (view: OpenView) => void;
  readonly onClose: (view: CloseView) => void;
}

/** The gate that stands there now. */
export interface Guarding {
  readonly gate: () => Pick<Gate, "connections"> | undefined;
  readonly state: () => OpenView["state"];
}

const maxRecent = 50;
/** What happens at the same time is told at once. */
const togetherMs = 50;
const everyMs = 1_000;

export function createConnectionLog(
  { gate, state }: Guarding,
  clock: Clock | undefined,
): ConnectionLog {
  const now = clock === undefined ? Date.now : () => clock.now();
  const startedAt = Date.now().toString(36);
  const traffic = createTrafficCounter();
  const listeners = new Set<ConnectionListener>();
  const recent: CloseView[] = [];
  const rates = createTrafficRates(traffic.of);
  let count = 0;
  let soon: NodeJS.Timeout | undefined;
  let ticking: NodeJS.Timeout | undefined;

  const all = (): readonly Connection[] =>
    [...(gate()?.connections ?? [])].sort((one, other) => one.acceptedAt - other.acceptedAt);

  const open = (): OpenView => ({
    now: now(),
    state: state(),
    connections: all().map((one) => viewOf(one, traffic.of(one), rates.of(one))),
  });

  function tell(): void {
    const view = open();
    for (const { onOpen } of listeners) onOpen(view);
  }

  function changed(): void {
    if (listeners.size === 0 || soon !== undefined) return;
    soon = setTimeout(() => {
      soon = undefined;
      tell();
    }, togetherMs).unref();
  }

  function recordClose(event: CloseEvent): void {
    const view = closeViewOf(event, `${startedAt}.${++count}`);
    recent.push(view);
    if (recent.length > maxRecent) recent.shift();
    for (const { onClose } of listeners) onClose(view);
    changed();
  }

  function tick(): void {
    const connections = all();
    rates.measure(connections);
    if (connections.length > 0) tell();
  }

  return {
    gateOptions: {
      onClose: recordClose,
      // Kept over restarts, as long as tokens last.
      revocations: revocations({ forMs: lifetimeSeconds * 1_000, now }),
      ...(clock === undefined ? {} : { clock }),
    },
    onHandOver: (request: IncomingMessage) => {
      traffic.onHandOver(request);
      request.socket.once("close", changed);
      changed();
    },
    onMessage: traffic.onMessage,
    changed,
    open,
    closed: () => recent,
    subscribe: (listener) => {
      listeners.add(listener);
      ticking ??= setInterval(tick, everyMs).unref();
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        clearInterval(ticking);
        ticking = undefined;
      };
    },
  };
}

function viewOf(
  { id, path, acceptedAt, identity }: Connection,
  received: Traffic,
  rate: Traffic,
): ConnectionView {
  const { subject, expiresAt } = identity ?? {};
  return {
    id,
    path,
    acceptedAt,
    received,
    rate,
    ...(subject === undefined ? {} : { subject }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

const closeViewOf = (
  { path, subject, openMs, code, closeCode, closeReason }: CloseEvent,
  id: string,
): CloseView => ({
  id,
  at: Date.now(),
  path,
  openMs,
  closeCode,
  reason: closeReason,
  ...(subject === undefined ? {} : { subject }),
  ...(code === undefined ? {} : { code, title: closeKinds[code].title }),
});
