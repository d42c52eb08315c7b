import { ConfigError } from "@firmshake/core";
import { aCount, aPositiveInteger, oneOf, readOptions } from "@firmshake/core/gate";
import { closingBy } from "./close-reason.ts";
import type { Registry } from "./registry.ts";

/** How connections are brought to their end. */
export interface DrainOptions {
  /** After how long what is still open is cut off. Default 10,000. */
  readonly timeoutMs?: number;
  /** Over how long the closes are spread, so that not all clients come again at once. Default 0: all at once. */
  readonly jitterMs?: number;
  /** 1012 (the default) for a restart, 1001 for an end. */
  readonly code?: "restart" | "going-away";
  /** When clients should come again, in seconds. Default 5. */
  readonly retryAfter?: number;
}

/** What became of the connections. */
export interface Drained {
  /** Those that were open at the beginning. */
  readonly open: number;
  /** Those that were told by a close frame. */
  readonly closed: number;
  /** Those that were cut off at the end. */
  readonly terminated: number;
}

/** @throws {@link ConfigError} for options that are not as described. */
export function readDrainOptions(options: DrainOptions): Required<DrainOptions> {
  const read = readOptions<DrainOptions>("drain", options, {
    timeoutMs: aPositiveInteger,
    jitterMs: aCount,
    code: oneOf("restart", "going-away"),
    retryAfter: aCount,
  });
  const { timeoutMs = 10_000, jitterMs = 0, code = "restart", retryAfter = 5 } = read;
  if (jitterMs >= timeoutMs) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `drain: "jitterMs" must be less than "timeoutMs", or connections would be cut off before they are closed.`,
    );
  }
  return { timeoutMs, jitterMs, code, retryAfter };
}

/** Closes all connections, spread over time, and resolves when the last socket is gone. */
export function drainRegistry(
  registry: Registry,
  { timeoutMs, jitterMs, code, retryAfter }: Required<DrainOptions>,
): Promise<Drained> {
  const { clock } = registry;
  const closing = closingBy("draining", {
    closeCode: code === "restart" ? 1_012 : 1_001,
    retryAfter,
  });
  const startedAt = clock.monotonic();
  const turns = [...registry]
    .map((guarded) => ({ guarded, at: Math.random() * jitterMs }))
    .sort((one, other) => one.at - other.at);
  const open = turns.length;
  let closed = 0;
  let terminated = 0;

  return new Promise((resolve) => {
    let stopTimer: (() => void) | undefined;
    let at = 0;
    const next = (): void => {
      const passedMs = clock.monotonic() - startedAt;
      let turn = turns[at];
      for (; turn !== undefined && turn.at <= passedMs; turn = turns[++at]) {
        if (registry.close(turn.guarded, closing)) closed++;
      }
      const waitMs = (turn?.at ?? timeoutMs) - passedMs;
      if (turn === undefined && waitMs <= 0) terminate();
      else stopTimer = clock.after(Math.max(waitMs, 1), next);
    };
    const terminate = (): void => {
      for (const { socket } of registry) {
        if (socket === undefined || socket.destroyed) continue;
        // It may be the last one, and then all is said.
        terminated++;
        socket.destroy();
      }
    };
    registry.whenEmpty(() => {
      stopTimer?.();
      resolve(Object.freeze({ open, closed, terminated }));
    });
    if (open > 0) next();
  });
}
