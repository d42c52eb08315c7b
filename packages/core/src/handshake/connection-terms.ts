import { type Handshake, progressOf } from "./handshake.ts";

/** What a check asks of the connection that may come of a handshake: limits, a place that it takes. Gates carry it out. */
export interface ConnectionTerm {
  /** By which a gate knows what it is. */
  readonly kind: string;
  /** Called once: when the connection is over, or as soon as none comes of the handshake. Must not throw. */
  readonly release?: () => void;
}

/** For checks, while they run. Where nobody carries terms out, as in runtimes without a gate, nothing comes of it. */
export function addTerm(handshake: Handshake, term: ConnectionTerm): void {
  const progress = progressOf(handshake);
  progress.terms = [...progress.terms, term];
}

/** All of a kind, of every guard that the handshake has passed. */
export function termsOf<Term extends ConnectionTerm>(
  handshake: Handshake,
  kind: Term["kind"],
): readonly Term[] {
  const { terms } = progressOf(handshake);
  return terms.length === 0 ? noTerms : terms.filter((term): term is Term => term.kind === kind);
}

const noTerms: readonly never[] = Object.freeze([]);

/** Releases what was added since the terms were the given ones; at the end of a connection, all. */
export function takeBackTerms(
  handshake: Handshake,
  kept: readonly ConnectionTerm[] = noTerms,
): void {
  const progress = progressOf(handshake);
  const { terms } = progress;
  if (terms.length === kept.length) return;
  progress.terms = kept;
  for (const { release } of terms.slice(kept.length)) release?.();
}

/** All of them, as they are now: what {@link takeBackTerms} may be told to keep. */
export const termsSoFar = (handshake: Handshake): readonly ConnectionTerm[] =>
  progressOf(handshake).terms;
