import { type DecisionEvent, type Handshake, refusalKinds } from "@firmshake/node";
import { checksOf } from "./policy.ts";
import type { DecisionView, Step } from "./protocol.ts";

/** What the gate decided lately, and who wants to know. */
export interface DecisionLog {
  readonly record: (event: DecisionEvent, handshake: Handshake) => void;
  readonly recent: () => readonly DecisionView[];
  /** Returns how to stop. */
  readonly subscribe: (listener: (decision: DecisionView) => void) => () => void;
  /** All decisions of one attempt, as soon as there are that many. What is there when the time is over, otherwise. */
  readonly ofAttempt: (attempt: string, count?: number) => Promise<readonly DecisionView[]>;
}

const maxRecent = 200;
const patienceMs = 2_000;

export function createDecisionLog(): DecisionLog {
  const recent: DecisionView[] = [];
  const listeners = new Set<(decision: DecisionView) => void>();
  let count = 0;

  return {
    record: (event, handshake) => {
      // The further polls of a session are many, and no handshakes.
      if (handshake.isContinued && event.outcome === "accepted") return;
      const decision = viewOf(event, handshake, ++count);
      recent.push(decision);
      if (recent.length > maxRecent) recent.shift();
      for (const listener of listeners) listener(decision);
    },
    recent: () => recent,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ofAttempt: (attempt, wanted = 1) => {
      const found = (): readonly DecisionView[] => recent.filter((one) => one.attempt === attempt);
      return new Promise((resolve) => {
        const settle = (): void => {
          clearTimeout(deadline);
          listeners.delete(look);
          resolve(found());
        };
        const look = (): void => {
          if (found().length >= wanted) settle();
        };
        const deadline = setTimeout(settle, patienceMs);
        listeners.add(look);
        look();
      });
    },
  };
}

/** Attempts are told apart by a parameter of the query: decision events name the path alone. */
export const attemptParameter = "attempt";

function viewOf(event: DecisionEvent, { query }: Handshake, id: number): DecisionView {
  const { outcome, path, transport, elapsedMs, code, subject } = event;
  const attempt = new URLSearchParams(query).get(attemptParameter);
  const isOurs = attempt !== null && /^[a-z-]{1,40}\.[0-9a-z]{1,12}$/.test(attempt);
  const isSwitched = outcome === "accepted" && transport === "websocket";
  const status = isSwitched ? 101 : event.status;
  return {
    id,
    at: Date.now(),
    outcome,
    path,
    transport,
    steps: stepsOf(event),
    elapsedMs,
    ...(code === undefined ? {} : { code, title: refusalKinds[code].title }),
    ...(status === undefined ? {} : { status }),
    ...(subject === undefined ? {} : { subject }),
    ...(isOurs ? { attempt, attack: attempt.slice(0, attempt.indexOf(".")) } : {}),
  };
}

/** The opening first, which every handshake has to pass; then the guard's checks, also those that were not reached. */
function stepsOf({ outcome, path, code, trail }: DecisionEvent): readonly Step[] {
  const checks = checksOf[path];
  if (checks === undefined) {
    return [
      { check: "opening", outcome: code === "not_found" ? "allow" : "refuse" },
      { check: "path", outcome: code === "not_found" ? "refuse" : "unreached" },
    ];
  }
  const wasStoppedBefore = trail.length === 0 && outcome === "refused";
  return [
    { check: "opening", outcome: wasStoppedBefore ? "refuse" : "allow" },
    ...checks.map((check): Step => {
      const entry = trail.find((one) => one.check === check);
      return { check, outcome: entry?.outcome ?? "unreached" };
    }),
  ];
}
