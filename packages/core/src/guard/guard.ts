import { aText, oneOf, readOptions } from "../config/options.ts";
import type { Allow, MaybePromise, Refusal } from "../decision/decision.ts";
import { mintPermit, type Permit } from "../decision/permit.ts";
import { type Handshake, progressOf, trailOf } from "../handshake/handshake.ts";
import type { TrailEntry } from "../handshake/trail.ts";
import { openingRefusal } from "../handshake/validity.ts";
import { type AnyCheck, isPromiseLike, readChecks } from "./check.ts";
import { type AllFacts, runAll } from "./combine.ts";
import { explainChecks } from "./explain.ts";
import { completeChecks, everyInfo } from "./posture.ts";

/** What {@link guard} takes instead of a bare list of checks. */
export interface GuardOptions<
  Checks extends readonly AnyCheck[] = readonly AnyCheck[],
  Mode extends GuardMode = GuardMode,
> {
  readonly checks: Checks;
  /** `report` decides and records, and lets through what it would have refused. Default `enforce`. */
  readonly mode?: Mode;
  /** What `explain()` and decision events call the guard. */
  readonly label?: string;
  /** `cost` runs cheap checks before dear ones, whatever order they are written in. Default `cost`. */
  readonly order?: "cost" | "written";
}

export type GuardMode = "enforce" | "report";

/** Checks that decide together. Made by {@link guard}; pure, and usable for any number of servers. */
export interface Guard<Facts extends object = object> {
  /** Decides on a handshake. Synchronous for as long as the checks are. Never throws and never rejects. */
  readonly decide: (handshake: Handshake) => MaybePromise<Verdict<Facts>>;
  /** The policy as a tree, in the order in which it runs. */
  readonly explain: () => string;
  readonly mode: GuardMode;
  readonly label: string | undefined;
}

/** What a guard decided, and how it came to it. */
export type Verdict<Facts extends object = object> = Permitted<Facts> | Refused;

export interface Permitted<Facts extends object = object> {
  readonly ok: true;
  readonly facts: Facts;
  /** What a gate needs to hand the socket over. */
  readonly permit: Permit<Facts>;
  /** In report mode: what would have been refused. */
  readonly reported: Refusal | undefined;
  readonly trail: readonly TrailEntry[];
}

export interface Refused {
  readonly ok: false;
  readonly refusal: Refusal;
  readonly trail: readonly TrailEntry[];
}

/** What a guard's checks add; in report mode nothing is certain. */
export type GuardFacts<Checks extends readonly AnyCheck[], Mode> = Mode extends "report"
  ? Partial<AllFacts<Checks>>
  : AllFacts<Checks>;

/**
 * Makes a guard of checks: all of them must allow. Before any of them, the handshake itself is checked by the letter of RFC 6455 §4.2.1.
 * Without a word on origins, only pages of the same origin may connect.
 *
 * @throws {@link ConfigError} where the checks contradict each other or are dangerous together, with what to write instead.
 *
 * @example
 * ```ts
 * import { guard, jwt, origin, rateLimit } from "@firmshake/core";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   rateLimit({ limit: 30, windowMs: 60_000 }),
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 * );
 * console.log(chat.explain());
 * ```
 */
export function guard<const Checks extends readonly AnyCheck[]>(
  ...checks: Checks
): Guard<AllFacts<Checks>>;
export function guard<
  const Checks extends readonly AnyCheck[],
  const Mode extends GuardMode = "enforce",
>(options: GuardOptions<Checks, Mode>): Guard<GuardFacts<Checks, Mode>>;
export function guard(...given: readonly unknown[]): Guard {
  const { checks, mode = "enforce", label, order = "cost" } = readGuardOptions(given);
  const ordered = completeChecks(readChecks("guard", checks), order);
  const withholders = withholdersOf(ordered, mode);
  const title = `guard${label === undefined ? "" : ` "${label}"`}${mode === "report" ? " (report only: refuses nothing)" : ""}`;

  function decide(handshake: Handshake): MaybePromise<Verdict> {
    const malformed = openingRefusal(handshake);
    if (malformed !== undefined)
      return { ok: false, refusal: malformed, trail: trailOf(handshake) };
    const start = progressOf(handshake).trail.length;
    const outcome = runAll(ordered, handshake);
    return isPromiseLike(outcome)
      ? outcome.then((settled) => verdictOf(handshake, settled, start))
      : verdictOf(handshake, outcome, start);
  }

  function verdictOf(
    handshake: Handshake,
    outcome: Allow<object> | Refusal,
    start: number,
  ): Verdict {
    const trail = trailOf(handshake, start);
    if (!outcome.ok && (mode === "enforce" || handshake.signal.aborted)) {
      return { ok: false, refusal: outcome, trail };
    }
    for (const withhold of withholders) withhold(handshake);
    const { facts } = handshake;
    const reported = outcome.ok ? undefined : outcome;
    return { ok: true, facts, permit: mintPermit(handshake, facts, decide), reported, trail };
  }

  return Object.freeze({ decide, explain: () => explainChecks(title, ordered), mode, label });
}

/** Of the checks that may have been passed by: in report mode, and in a branch that was not taken. */
function withholdersOf(
  checks: readonly AnyCheck[],
  mode: GuardMode,
): readonly ((handshake: Handshake) => void)[] {
  const infos = everyInfo(checks);
  const mayBePassedBy =
    mode === "report" || infos.some(({ composes }) => composes === "any" || composes === "when");
  return mayBePassedBy ? infos.flatMap(({ withhold }) => withhold ?? []) : [];
}

function readGuardOptions(given: readonly unknown[]): GuardOptions {
  const [first] = given;
  const isOptions =
    given.length === 1 && typeof first === "object" && first !== null && !Array.isArray(first);
  if (!isOptions) return { checks: given as readonly AnyCheck[] };
  return readOptions<GuardOptions>(
    "guard",
    first,
    {
      checks: { expected: "a list of checks", accepts: Array.isArray },
      mode: oneOf("enforce", "report"),
      label: aText,
      order: oneOf("cost", "written"),
    },
    ["checks"],
  );
}
