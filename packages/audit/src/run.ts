import { type Budget, pause } from "./budget.ts";
import type { Credentials, Dress } from "./credentials.ts";
import type { Mask } from "./mask.ts";
import type { AuditLimits, AuditOptions } from "./options.ts";
import type { Connection } from "./probe/connection.ts";
import type { Dialect } from "./probe/dialect.ts";
import {
  evidenceOf,
  isAccepted,
  isAnswered,
  isThrottled,
  type Outcome,
  retryAfterMs,
} from "./probe/outcome.ts";
import { type Own, requestOf, type Sketch } from "./probe/request.ts";
import { type Attempt, shakeHands } from "./probe/shake-hands.ts";
import type { Route } from "./probe/wire.ts";
import type { AuditEvent, Evidence } from "./report.ts";
import type { Target, TargetAddress } from "./target.ts";

/** What every check is given: the endpoint, what the user said of it, and the means to shake hands with it. */
export interface Run {
  readonly target: Target;
  readonly address: TargetAddress;
  readonly route: Route;
  readonly own: Own;
  readonly options: AuditOptions;
  readonly limits: Required<AuditLimits>;
  readonly credentials: Credentials;
  readonly dialect: Dialect;
  readonly budget: Budget;
  readonly mask: Mask;
  /** Everything that was tried so far. */
  readonly history: readonly Past[];
  /** The user's own handshake, the first of all. */
  readonly baseline: () => Outcome;
  /** Shakes hands and hangs up. Where the server says that it was asked too often, waits and tries again. */
  readonly shake: (sketch: Sketch) => Promise<Outcome>;
  /** Shakes hands; whoever asks closes the connection. */
  readonly open: (sketch: Sketch) => Promise<Attempt>;
  /** Does once what several checks need. */
  readonly once: <Value>(key: string, make: () => Promise<Value>) => Promise<Value>;
  /** The user's own handshake once more. */
  readonly control: () => Promise<Outcome>;
  /** Whether anything is answered at all, after waiting a little for what is being started again. */
  readonly isUp: () => Promise<boolean>;
  readonly evidence: (outcome: Outcome) => Evidence;
  readonly notify: (event: AuditEvent) => void;
  readonly wait: (milliseconds: number, reason: string) => Promise<void>;
}

/** One handshake of the run. */
export interface Past {
  readonly sketch: Sketch;
  readonly outcome: Outcome;
}

export type RunParts = Omit<
  Run,
  "history" | "baseline" | "shake" | "open" | "once" | "control" | "isUp" | "evidence" | "wait"
>;

const maxTries = 3;
/** How long a throttled handshake waits where the server does not say. */
const defaultBackOffMs = 1_000;
const maxBackOffMs = 15_000;

export const ownHandshake: Sketch = { probe: "The user's own handshake" };

export function createRun(parts: RunParts): Run {
  const { budget, credentials, dialect, limits, mask, notify, own } = parts;
  const history: Past[] = [];
  const known = new Map<string, Promise<unknown>>();

  const dressFor = (sketch: Sketch): Dress => {
    const { credentials: mode = "own" } = sketch;
    return typeof mode === "string" ? credentials.dress(mode) : mode;
  };
  const open = async (sketch: Sketch): Promise<Attempt> => {
    const dress = dressFor(sketch);
    const attempt = await shakeHands(sketch.probe, requestOf(sketch, dress, own), {
      route: sketch.route ?? parts.route,
      budget,
      dialect,
      dress,
      answerMs: limits.answerMs,
      quietMs: sketch.isQuick ? 0 : limits.quietMs,
      isBare: sketch.isBare ?? false,
    });
    history.push({ sketch, outcome: attempt.outcome });
    return attempt;
  };
  const tryOnce = async (sketch: Sketch): Promise<Outcome> => {
    const { outcome, connection, wire } = await open(sketch);
    await (connection ?? wire)?.close();
    return outcome;
  };
  const wait = (milliseconds: number, reason: string): Promise<void> => {
    notify({ type: "waiting", forMs: milliseconds, reason });
    return pause(milliseconds, budget);
  };
  const shake = async (sketch: Sketch): Promise<Outcome> => {
    for (let tries = 1; ; tries++) {
      const outcome = await tryOnce(sketch);
      if (sketch.isImpatient || tries >= maxTries || !isThrottled(outcome)) return outcome;
      const backOffMs = retryAfterMs(outcome) ?? defaultBackOffMs * tries;
      if (backOffMs > Math.min(maxBackOffMs, budget.millisecondsLeft())) return outcome;
      await wait(backOffMs, "The server limits handshakes.");
    }
  };

  return {
    ...parts,
    history,
    baseline: () => {
      // What came of the tries before it says only that the server limits handshakes.
      const first = history.find(({ outcome }) => !isThrottled(outcome)) ?? history[0];
      if (first === undefined) throw new Error("There was no handshake yet.");
      return first.outcome;
    },
    open,
    shake,
    once: <Value>(key: string, make: () => Promise<Value>) => {
      const made = known.get(key) ?? make();
      known.set(key, made);
      // The caller chose the key for this type alone.
      return made as Promise<Value>;
    },
    control: () => shake(ownHandshake),
    isUp: async () => {
      for (let tries = 0; tries < 3; tries++) {
        const outcome = await tryOnce({ ...ownHandshake, isImpatient: true });
        if (isAccepted(outcome) || isAnswered(outcome)) return true;
        await pause(200 * (tries + 1), budget);
      }
      return false;
    },
    evidence: (outcome) => evidenceOf(outcome, mask),
    wait,
  };
}

/** Opens a connection by the user's own handshake; undefined, with what came instead, where it is refused. */
export async function openOwn(
  run: Run,
  sketch: Sketch = ownHandshake,
): Promise<{ readonly outcome: Outcome; readonly connection?: Connection }> {
  for (let tries = 1; ; tries++) {
    const { outcome, connection, wire } = await run.open(sketch);
    if (connection !== undefined && isAccepted(outcome)) return { outcome, connection };
    await (connection ?? wire)?.close();
    if (tries >= maxTries || !isThrottled(outcome)) return { outcome };
    await run.wait(retryAfterMs(outcome) ?? defaultBackOffMs, "The server limits handshakes.");
  }
}
