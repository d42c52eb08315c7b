import { ConfigError } from "../config/config-error.ts";
import {
  aFunction,
  anObject,
  aPositiveInteger,
  aPositiveNumber,
  aTextList,
  aTimeoutMs,
  readOptions,
} from "../config/options.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { isHeaderValue, isHttpToken } from "../parse/http-token.ts";

/** What `authorize` takes besides the service. */
export interface AuthorizeOptions {
  /** Longest wait for one answer, in milliseconds; less than the time for a decision. Default 2,000. */
  readonly timeoutMs?: number;
  /** How many questions may be open at once; more handshakes are refused. Default 100. */
  readonly maxPending?: number;
  /** Remembers who was let in, in memory. Default: nobody is. */
  readonly cache?: AuthorizeCacheOptions;
  /** Which of the handshake's headers the service is told. Default: none. */
  readonly headers?: readonly string[];
  /** Header lines of the question itself, such as what proves to the service who asks. */
  readonly requestHeaders?: Readonly<Record<string, string>>;
  /** Another `fetch`, for proxies and private certificate authorities. */
  readonly fetch?: typeof fetch;
}

/** How answers are remembered. */
export interface AuthorizeCacheOptions {
  /** Beyond that many those that were not used are forgotten. */
  readonly maxEntries: number;
  /** For how long, in milliseconds; never past the `expiresAt` of an identity in the answer. */
  readonly maxAgeMs: number;
  /** Names everything that the answer depends on; undefined: this one is not remembered. */
  readonly key: (handshake: Handshake) => string | undefined;
}

/**
 * Reads the options.
 *
 * @throws {@link ConfigError} where they are not as described, or do not go with a function.
 */
export function readAuthorizeOptions(
  options: AuthorizeOptions,
  isFunction: boolean,
): AuthorizeOptions {
  const read = readOptions<AuthorizeOptions>("authorize", options, {
    timeoutMs: aTimeoutMs,
    maxPending: aPositiveInteger,
    cache: anObject,
    headers: {
      expected: "a non-empty list of header names",
      accepts: (value) => aTextList.accepts(value) && (value as string[]).every(isHttpToken),
    },
    requestHeaders: { expected: "an object of header lines", accepts: areHeaderLines },
    fetch: aFunction,
  });
  if (read.cache !== undefined) {
    readOptions<AuthorizeCacheOptions>(
      "authorize.cache",
      read.cache,
      { maxEntries: aPositiveInteger, maxAgeMs: aPositiveNumber, key: aFunction },
      ["maxEntries", "maxAgeMs", "key"],
    );
  }
  const unfit =
    isFunction && (["headers", "requestHeaders", "fetch"] as const).find((name) => read[name]);
  if (unfit) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `authorize: "${unfit}" goes with the URL of a service, not with a function.`,
    );
  }
  return read;
}

const areHeaderLines = (value: unknown): boolean =>
  anObject.accepts(value) &&
  Object.entries(value as object).every(
    ([name, line]) => isHttpToken(name) && typeof line === "string" && isHeaderValue(line),
  );
