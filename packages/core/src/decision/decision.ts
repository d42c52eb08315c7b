import { ConfigError } from "../config/config-error.ts";
import { isHeaderValue, isHttpToken } from "../parse/http-token.ts";
import { type RefusalCode, type RefusalKind, refusalKinds } from "./refusal-codes.ts";

/** A value, or a promise of it: synchronous checks decide synchronously. */
export type MaybePromise<Value> = Value | PromiseLike<Value>;

/** What a check adds when it adds nothing. */
export type NoFacts = Record<never, never>;

/** What a check answers. Anything that was not made by {@link allow}, {@link allowWith} or {@link refuse} counts as a refusal. */
export type Decision<Facts extends object = NoFacts> = Allow<Facts> | Refusal;

/** The check has nothing against the handshake, and perhaps learnt something about it. */
export interface Allow<Facts extends object = NoFacts> {
  readonly ok: true;
  readonly facts: Facts;
}

/** The handshake goes no further. Only `code`, `title`, `detail` and `headers` ever reach the client. */
export interface Refusal extends RefusalKind {
  readonly ok: false;
  readonly code: RefusalCode;
  /** A second public sentence, written by whoever wrote the check; never text that the client sent. */
  readonly detail: string | undefined;
  /** Header lines for the answer, such as `Retry-After`. */
  readonly headers: readonly HeaderLine[];
  /** What happened, for logs and traces; never sent. Holds no secret. */
  readonly reason: string | undefined;
  /** The error behind the refusal, where there was one; never sent. */
  readonly cause: unknown;
}

/** A header's name and its value. */
export type HeaderLine = readonly [name: string, value: string];

/** What {@link refuse} takes besides the code. */
export interface RefuseOptions {
  readonly headers?: readonly HeaderLine[];
  readonly reason?: string;
  readonly cause?: unknown;
}

class Allowed<Facts extends object> implements Allow<Facts> {
  readonly #made = true;
  readonly ok = true;
  readonly facts: Facts;

  constructor(facts: Facts) {
    this.facts = facts;
    Object.freeze(this);
  }

  static isOne(value: object): boolean {
    return #made in value && value.#made;
  }
}

class Refused implements Refusal {
  readonly #made = true;
  readonly ok = false;
  readonly code: RefusalCode;
  readonly status: number;
  readonly closeCode: number;
  readonly retryable: boolean;
  readonly title: string;
  readonly detail: string | undefined;
  readonly headers: readonly HeaderLine[];
  readonly reason: string | undefined;
  readonly cause: unknown;

  constructor(code: RefusalCode, detail: string | undefined, options: RefuseOptions) {
    const { status, closeCode, retryable, title } = refusalKinds[code];
    this.code = code;
    this.status = status;
    this.closeCode = closeCode;
    this.retryable = retryable;
    this.title = title;
    this.detail = detail;
    this.headers = frozenLines(options.headers);
    this.reason = options.reason;
    this.cause = options.cause;
    Object.freeze(this);
  }

  static isOne(value: object): boolean {
    return #made in value && value.#made;
  }
}

const noHeaders: readonly HeaderLine[] = Object.freeze([]);

/** A copy, so that what was looked at is what is sent. */
function frozenLines(lines: readonly HeaderLine[] = noHeaders): readonly HeaderLine[] {
  if (lines.length === 0) return noHeaders;
  return Object.freeze(
    lines.map(([name, value]): HeaderLine => Object.freeze([name, value] as const)),
  );
}

const isText = (value: unknown): boolean => typeof value === "string";

/**
 * The answer of a check that has nothing against the handshake.
 *
 * @example
 * ```ts
 * import { allow, guard, refuse } from "@firmshake/core";
 *
 * const chat = guard((handshake) => (handshake.path === "/chat" ? allow : refuse("not_found")));
 * ```
 */
export const allow: Allow<NoFacts> = new Allowed<NoFacts>(Object.freeze({}));

/**
 * As {@link allow}, and adds facts: later checks see them on the handshake, the application in `connectionOf(request)`.
 *
 * @example
 * ```ts
 * import { allowWith, guard, refuse } from "@firmshake/core";
 *
 * const room = guard((handshake) => {
 *   const name = handshake.path.split("/")[2];
 *   return name === undefined ? refuse("not_found") : allowWith({ room: name });
 * });
 * ```
 */
export function allowWith<const Facts extends object>(facts: Facts): Allow<Facts> {
  return new Allowed(Object.freeze({ ...facts }));
}

/**
 * The answer of a check that refuses the handshake.
 *
 * @param code - One of the table in `docs/errors.md`; it decides status, close code and the public sentence.
 * @param detail - A sentence of your own for the client. Never put what the client sent into it.
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_REFUSAL_INVALID` for an unknown code, a detail that is no text, or a header that cannot be
 * sent.
 * @see RFC 9457 for the form in which it is sent
 *
 * @example
 * ```ts
 * import { allow, guard, refuse } from "@firmshake/core";
 *
 * const members = guard((handshake) =>
 *   handshake.identity?.claims.member === true ? allow : refuse("forbidden", "Members only."),
 * );
 * ```
 */
export function refuse(code: RefusalCode, detail?: string, options: RefuseOptions = {}): Refusal {
  if (!Object.hasOwn(refusalKinds, code)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_REFUSAL_INVALID",
      `refuse: there is no refusal code "${String(code).slice(0, 40)}"; use one of ${Object.keys(refusalKinds).join(", ")}.`,
    );
  }
  if (detail !== undefined && !isText(detail)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_REFUSAL_INVALID",
      "refuse: the detail must be a string: it is sent to the client.",
    );
  }
  for (const [name, value] of options.headers ?? noHeaders) {
    if (!isText(name) || !isText(value) || !isHttpToken(name) || !isHeaderValue(value)) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_REFUSAL_INVALID",
        "refuse: a header's name must be a token and its value one line of Latin-1 text.",
      );
    }
  }
  return new Refused(code, detail, options);
}

/** Whether the value was made by {@link allow} or {@link allowWith}. */
export function isAllow(value: unknown): value is Allow<object> {
  return typeof value === "object" && value !== null && Allowed.isOne(value);
}

/** Whether the value was made by {@link refuse}. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === "object" && value !== null && Refused.isOne(value);
}
