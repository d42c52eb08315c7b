import { setMaxListeners } from "node:events";
import type { Summary } from "./report.ts";

/** Why a run ends before all of its checks have run. */
export type CutShort = NonNullable<Summary["cutShort"]>;

/** Thrown through a check when the run is over, whatever it was at. */
export class RunOver extends Error {
  override readonly name: string = "RunOver";
  readonly why: CutShort;

  constructor(why: CutShort) {
    super(`The run is over: ${why}.`);
    this.why = why;
  }
}

/** What a run may spend. Everything that opens, reads or waits asks here first. */
export interface Budget {
  /** Aborted when nothing may be spent any more. */
  readonly signal: AbortSignal;
  readonly spent: () => {
    readonly handshakes: number;
    readonly bytesSent: number;
    readonly bytesReceived: number;
  };
  /** How many handshakes are left. */
  readonly handshakesLeft: () => number;
  readonly millisecondsLeft: () => number;
  /** @throws {@link RunOver} where none is left. */
  readonly spendHandshake: () => void;
  readonly sent: (bytes: number) => void;
  readonly received: (bytes: number) => void;
  /** @throws {@link RunOver} once the run is over. */
  readonly expectOngoing: () => void;
  readonly endWith: (cause: CutShort) => void;
  readonly dispose: () => void;
}

export interface BudgetBounds {
  readonly maxHandshakes: number;
  readonly maxBytes: number;
  readonly maxDurationMs: number;
  readonly signal?: AbortSignal | undefined;
}

export function openBudget({
  maxHandshakes,
  maxBytes,
  maxDurationMs,
  signal,
}: BudgetBounds): Budget {
  const over = new AbortController();
  // Each connection that is open listens; there are as many as WS-RATE-2 holds.
  setMaxListeners(0, over.signal);
  let cause: CutShort | undefined;
  let handshakes = 0;
  let bytesSent = 0;
  let bytesReceived = 0;
  const startedAt = performance.now();

  const endWith = (why: CutShort): void => {
    if (cause !== undefined) return;
    cause = why;
    over.abort(new RunOver(why));
  };
  const expectOngoing = (): void => {
    if (cause !== undefined) throw new RunOver(cause);
  };
  const abort = (): void => endWith("aborted");
  const timer = setTimeout(() => endWith("time"), maxDurationMs);
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();

  return {
    signal: over.signal,
    spent: () => ({ handshakes, bytesSent, bytesReceived }),
    handshakesLeft: () => maxHandshakes - handshakes,
    millisecondsLeft: () => maxDurationMs - (performance.now() - startedAt),
    spendHandshake: () => {
      if (handshakes >= maxHandshakes) endWith("handshakes");
      expectOngoing();
      handshakes++;
    },
    sent: (bytes) => {
      bytesSent += bytes;
    },
    received: (bytes) => {
      bytesReceived += bytes;
      if (bytesReceived > maxBytes) endWith("bytes");
    },
    expectOngoing,
    endWith,
    dispose: () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}

/** Waits, unless the run is over before. */
export function pause(milliseconds: number, { signal, expectOngoing }: Budget): Promise<void> {
  expectOngoing();
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", stop, { once: true });
  });
}
