import {
  type DecisionEvent,
  type Handshake,
  type RefusedFirst,
  refusalKinds,
} from "@firmshake/node";
import type { DecisionView, Step } from "./protocol.ts";

/** What the gate decided lately, and who wants to know. */
export interface DecisionLog {
  readonly record: (event: DecisionEvent, handshake: Handshake) => void;
  /** What became of an accepted connection that did not say in time, or not rightly, who it is. */
  readonly recordFirst: (refused: RefusedFirst, query: string) => void;
  readonly recent: () => readonly DecisionView[];
  /** Returns how to stop. */
  readonly subscribe: (listener: (decision: DecisionView) => void) => () => void;
  /** All decisions of one attempt, as soon as there are that many. What is there when the time is over, otherwise. */
  readonly ofAttempt: (attempt: string, count?: number) => Promise<readonly DecisionView[]>;
}

const maxRecent = 200;
const patienceMs = 2_000;

/** @param checksAt - The names of the checks that guard a path; undefined where nothing does. */
export function createDecisionLog(
  checksAt: (path: string) => readonly string[] | undefined,
): DecisionLog {
  const recent: DecisionView[] = [];
  const listeners = new Set<(decision: DecisionView) => void>();
  let count = 0;

  function add(view: Omit<DecisionView, "id" | "at">): void {
    const decision = { id: ++count, at: Date.now(), ...view };
    recent.push(decision);
    if (recent.length > maxRecent) recent.shift();
    for (const listener of listeners) listener(decision);
  }

  return {
    record: (event, handshake) => {
      // The further polls of a session are many, and no handshakes.
      if (handshake.isContinued && event.outcome === "accepted") return;
      add(viewOf(event, handshake, checksAt(event.path)));
    },
    recordFirst: ({ connection, closeCode, closeReason }, query) => {
      const checks = [...(checksAt(connection.path) ?? [])];
      add({
        outcome: "refused",
        path: connection.path,
        transport: "websocket",
        steps: [
          ...["opening", ...checks].map((check) => ({ check, outcome: "allow" }) as const),
          { check: "firstMessage", outcome: "refuse" },
        ],
        elapsedMs: Date.now() - connection.acceptedAt,
        closeCode,
        title: closeReason,
        ...attemptIn(query),
      });
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

function viewOf(
  event: DecisionEvent,
  { query }: Handshake,
  checks: readonly string[] | undefined,
): Omit<DecisionView, "id" | "at"> {
  const { outcome, path, transport, elapsedMs, code, closeCode, subject } = event;
  const isSwitched = outcome === "accepted" && transport === "websocket";
  const status = isSwitched ? 101 : event.status;
  return {
    outcome,
    path,
    transport,
    steps: stepsOf(event, checks),
    elapsedMs,
    ...(code === undefined ? {} : { code, title: refusalKinds[code].title }),
    ...(status === undefined ? {} : { status }),
    ...(closeCode === undefined ? {} : { closeCode }),
    ...(subject === undefined ? {} : { subject }),
    ...attemptIn(query),
  };
}

function attemptIn(query: string): Pick<DecisionView, "attempt" | "attack"> {
  const attempt = new URLSearchParams(query).get(attemptParameter);
  const isOurs = attempt !== null && /^[a-z-]{1,40}\.[0-9a-z]{1,12}$/.test(attempt);
  return isOurs ? { attempt, attack: attempt.slice(0, attempt.indexOf(".")) } : {};
}

/** The opening first, which every handshake has to pass; then the guard's checks, also those that were not reached. */
function stepsOf(
  { outcome, code, trail }: DecisionEvent,
  checks: readonly string[] | undefined,
): readonly Step[] {
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
      const entry = trail.find((one) => one.check === check && one.depth === 0);
      return { check, outcome: entry?.outcome ?? "unreached" };
    }),
  ];
}
