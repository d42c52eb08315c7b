import type { FrameRate, LimitsOptions } from "@firmshake/core";
import { type LimitsTerm, limitsKind } from "@firmshake/core/gate";
import { type IdentityBuckets, identityBuckets } from "./identity-buckets.ts";

/** {@link LimitsOptions} as the meter reads them; shared by all connections that are held to the same. */
export interface FrameRules {
  /** Infinite where it is off; the next as well. */
  readonly maxMessageBytes: number;
  readonly maxFragments: number;
  readonly messages: FrameRate | undefined;
  readonly bytes: FrameRate | undefined;
  readonly controlFrames: FrameRate | undefined;
  /** Whether messages, or their bytes, are counted at all. */
  readonly countsMessages: boolean;
  readonly byIdentity: IdentityBuckets | undefined;
  readonly compression: "off" | "bounded" | "allow";
  readonly maxBufferedBytes: number;
  readonly bufferedGraceMs: number;
  /** What it was made of, to which guards and further gates may add later. */
  readonly ofGate: LimitsOptions;
  readonly terms: readonly LimitsTerm[];
}

/** Each is explained in `docs/defaults.md`. */
export const defaultLimits: Required<LimitsOptions> = {
  maxMessageBytes: 65_536,
  maxFragments: 1_024,
  messages: 0,
  bytes: 0,
  messagesPerIdentity: 0,
  bytesPerIdentity: 0,
  controlFrames: { limit: 50, windowMs: 10_000 },
  compression: "off",
  maxBufferedBytes: 16_777_216,
  bufferedGraceMs: 30_000,
};

interface Known {
  readonly rules: FrameRules;
  readonly further: WeakMap<LimitsTerm, Known>;
}

const known = new WeakMap<LimitsOptions, Known>();

/**
 * What a connection is held to: what the guards on its way say, the strictest of them; for what they do not speak of, the gate's own word; and
 * then the defaults. Made once for each set of guards.
 */
export function frameRulesFor(ofGate: LimitsOptions, terms: readonly LimitsTerm[]): FrameRules {
  let found: Known = known.get(ofGate) ?? makeKnown(ofGate, []);
  known.set(ofGate, found);
  for (const [index, term] of terms.entries()) {
    const next: Known = found.further.get(term) ?? makeKnown(ofGate, terms.slice(0, index + 1));
    found.further.set(term, next);
    found = next;
  }
  return found.rules;
}

/** Of a gate, and of one behind it: its own word is one more, since it did not let in for the other. */
export const addedRules = ({ ofGate, terms }: FrameRules, behind: FrameRules): FrameRules =>
  frameRulesFor(ofGate, [...terms, termOf(behind.ofGate), ...behind.terms]);

const ownTerms = new WeakMap<LimitsOptions, LimitsTerm>();

function termOf(limits: LimitsOptions): LimitsTerm {
  const term = ownTerms.get(limits) ?? Object.freeze({ kind: limitsKind, limits });
  ownTerms.set(limits, term);
  return term;
}

function makeKnown(ofGate: LimitsOptions, terms: readonly LimitsTerm[]): Known {
  const said = terms.map(({ limits }) => limits).reduce(strictest, {});
  const limits = { ...defaultLimits, ...ofGate, ...said };
  return { rules: rulesOf(limits, ofGate, terms), further: new WeakMap() };
}

function rulesOf(
  limits: Required<LimitsOptions>,
  ofGate: LimitsOptions,
  terms: readonly LimitsTerm[],
): FrameRules {
  const rate = (given: FrameRate | 0): FrameRate | undefined => (given === 0 ? undefined : given);
  const bound = (given: number): number => (given === 0 ? Number.POSITIVE_INFINITY : given);
  const messages = rate(limits.messages);
  const bytes = rate(limits.bytes);
  const byIdentity = identityBuckets(
    rate(limits.messagesPerIdentity),
    rate(limits.bytesPerIdentity),
  );
  return Object.freeze({
    maxMessageBytes: bound(limits.maxMessageBytes),
    maxFragments: bound(limits.maxFragments),
    messages,
    bytes,
    controlFrames: rate(limits.controlFrames),
    countsMessages: messages !== undefined || bytes !== undefined || byIdentity !== undefined,
    byIdentity,
    compression: limits.compression,
    maxBufferedBytes: bound(limits.maxBufferedBytes),
    bufferedGraceMs: limits.bufferedGraceMs,
    ofGate,
    terms,
  });
}

/** Of each limit that either speaks of. */
function strictest(one: LimitsOptions, other: LimitsOptions): LimitsOptions {
  const merged: Record<string, unknown> = { ...one };
  for (const [name, value] of Object.entries(other)) {
    const before = merged[name];
    merged[name] = value === undefined || isStricter(before, value) ? before : value;
  }
  return merged;
}

const order = ["off", "bounded", "allow"];

/** Of two rates, the lower one over time. */
function isStricter(one: unknown, other: unknown): boolean {
  if (one === undefined || one === 0 || other === 0) return other === 0 && one !== undefined;
  if (typeof one === "string") return order.indexOf(one) <= order.indexOf(String(other));
  if (typeof one === "number") return one <= Number(other);
  const [first, second] = [one, other] as [FrameRate, FrameRate];
  const difference = first.limit / first.windowMs - second.limit / second.windowMs;
  return difference < 0 || (difference === 0 && first.limit <= second.limit);
}
