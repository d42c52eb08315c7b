import type { MessageErrorCode } from "../message-errors.ts";

/** How much one message may hold. */
export interface JsonBounds {
  /** Bytes of UTF-8. Default 65,536. */
  readonly maxBytes: number;
  /** Arrays and objects within each other. Default 32. */
  readonly maxDepth: number;
  /** Members of objects and elements of arrays, in all. Default 1,000. */
  readonly maxKeys: number;
  /** UTF-16 code units of one string or key, as JavaScript counts them. Default 16,384. */
  readonly maxStringLength: number;
  /** Names that no key may have. Default `__proto__`, `constructor` and `prototype`. */
  readonly forbiddenKeys: readonly string[];
}

/** What is wrong with a text before its meaning is looked at. */
export type JsonFault = Extract<
  MessageErrorCode,
  `json_${string}` | "text_malformed" | "message_too_long"
>;

export const defaultBounds: JsonBounds = Object.freeze({
  maxBytes: 65_536,
  maxDepth: 32,
  maxKeys: 1_000,
  maxStringLength: 16_384,
  // What merging code writes through into the prototype of all objects (CWE-1321).
  forbiddenKeys: Object.freeze(["__proto__", "constructor", "prototype"]),
});

/** Longer than any double-precision number has to be written; what is longer costs time to read and loses its digits. */
export const maxNumberLength = 40;

/** A surrogate without its other half: what is no text in UTF-8. */
export const loneSurrogate: RegExp = /\p{Surrogate}/u;
