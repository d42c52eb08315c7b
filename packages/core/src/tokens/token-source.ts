import type { OptionRule } from "../config/options.ts";
import type { Handshake } from "../handshake/handshake.ts";

/** A place where clients may put a token. */
export interface TokenSource {
  /** For `explain()`, such as `cookie "session"`. */
  readonly name: string;
  /** Whether browsers send it whichever page asks, as they do cookies. */
  readonly isAmbient: boolean;
  /** Every token found there; `malformed` where something stands there that is no token. */
  readonly read: (handshake: Handshake) => readonly string[] | "malformed";
}

/** What a source finds where it finds nothing. */
export const noTokens: readonly string[] = Object.freeze([]);

/** What the option `from` must be. */
export const aTokenSourceList: OptionRule = {
  expected: "a non-empty list of token sources",
  accepts: (value) => Array.isArray(value) && value.length > 0 && value.every(isSource),
};

function isSource(source: unknown): boolean {
  const { name, isAmbient, read } = (source ?? {}) as Partial<TokenSource>;
  return typeof name === "string" && typeof isAmbient === "boolean" && typeof read === "function";
}
