import { ConfigError } from "../config/config-error.ts";
import {
  aBoolean,
  aCount,
  aFunction,
  anObject,
  aPositiveInteger,
  aPositiveNumber,
  aText,
  aTextList,
  aTimeoutMs,
  either,
  readOptions,
} from "../config/options.ts";
import type { MaybePromise } from "../decision/decision.ts";
import { isHeaderValue } from "../parse/http-token.ts";
import { aTokenSourceList, type TokenSource } from "./token-source.ts";

/** What `introspection` takes. `audience`, one of `issuer` and `endpoint`, and what proves who asks are required. */
export interface IntrospectionOptions {
  /** Where to ask (RFC 7662 §2): `https:`, or `http:` on loopback. Default: where the issuer's metadata says. */
  readonly endpoint?: string | URL;
  /** The issuer. An answer that names one must name this, letter by letter. */
  readonly issuer?: string;
  /** This service's own name; `aud` must hold it, or one of these. */
  readonly audience: string | readonly string[];
  /** The name that this service has as a client of the issuer, by which it asks (`client_secret_basic`, RFC 6749 §2.3.1). */
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** Instead of these, the whole `Authorization` header, such as `Bearer …`; a function is asked for each question. */
  readonly authorization?: string | (() => MaybePromise<string>);
  /** Where to look for the token. Default: `Authorization: Bearer`, then the subprotocols. */
  readonly from?: readonly TokenSource[];
  /**
   * The claim that names the subject. Default `sub`. Tokens of clients without a user often have `client_id` alone; `username` is for people to
   * read, and may be given to another one day.
   */
  readonly subjectClaim?: string;
  /** How far the issuer's clock may differ, in seconds. Default 0. */
  readonly clockToleranceSeconds?: number;
  /** Longer tokens are refused before anybody is asked. Default 8,192 bytes. */
  readonly maxTokenBytes?: number;
  /** Remembers answers, in memory and by the tokens' SHA-256. Default: none is. */
  readonly cache?: IntrospectionCacheOptions;
  /** Longest wait for one answer, in milliseconds. Default 3,000. */
  readonly timeoutMs?: number;
  /** So many questions may be under way; further tokens are refused by 503. Default 100. */
  readonly maxPending?: number;
  /** Another `fetch`, for proxies and private certificate authorities. */
  readonly fetch?: typeof fetch;
  /** Accepts tokens of which the issuer does not say for whom they are. Default false. */
  readonly insecureAllowMissingAudience?: boolean;
  /** Accepts tokens that never end. Default false. */
  readonly insecureAllowMissingExpiry?: boolean;
}

/** How answers are remembered. A token that was revoked works for that much longer. */
export interface IntrospectionCacheOptions {
  /** Of good tokens as of refused ones, the least recently used beyond that many are forgotten. */
  readonly maxTokens: number;
  /** Good tokens are also forgotten after that many milliseconds, and always with their expiry. Default 10,000. */
  readonly maxAgeMs?: number;
  /** Refused ones after that many. Default 5,000. */
  readonly maxRefusedAgeMs?: number;
}

/**
 * Reads the options.
 *
 * @throws {@link ConfigError} where they leave out or contradict something.
 */
export function readIntrospectionOptions(options: IntrospectionOptions): IntrospectionOptions {
  const read = readOptions<IntrospectionOptions>(
    "introspection",
    options,
    {
      endpoint: either(aText, anObject),
      issuer: aText,
      audience: either(aText, aTextList),
      clientId: aText,
      clientSecret: aText,
      authorization: either(aText, aFunction),
      from: aTokenSourceList,
      subjectClaim: aText,
      clockToleranceSeconds: aCount,
      maxTokenBytes: aPositiveInteger,
      cache: anObject,
      timeoutMs: aTimeoutMs,
      maxPending: aPositiveInteger,
      fetch: aFunction,
      insecureAllowMissingAudience: aBoolean,
      insecureAllowMissingExpiry: aBoolean,
    },
    ["audience"],
  );
  if (read.cache !== undefined) {
    const rules = {
      maxTokens: aPositiveInteger,
      maxAgeMs: aPositiveNumber,
      maxRefusedAgeMs: aPositiveNumber,
    };
    readOptions<IntrospectionCacheOptions>("introspection.cache", read.cache, rules, ["maxTokens"]);
  }
  if (read.endpoint === undefined && read.issuer === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `introspection: give "issuer", "endpoint" or both.`,
    );
  }
  refuseUnprovenClient(read);
  return read;
}

/** RFC 7662 §2.1: otherwise anybody could try tokens there. */
function refuseUnprovenClient(options: IntrospectionOptions): void {
  const { clientId, clientSecret, authorization } = options;
  const isClient = clientId !== undefined || clientSecret !== undefined;
  if (authorization !== undefined && isClient) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `introspection: give either "clientId" and "clientSecret", or "authorization".`,
    );
  }
  if (authorization === undefined && (clientId === undefined || clientSecret === undefined)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `introspection: give "clientId" and "clientSecret", or "authorization": issuers answer to clients that they know.`,
    );
  }
  if (typeof authorization === "string" && !isHeaderValue(authorization)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `introspection: "authorization" must be one line of Latin-1 text.`,
    );
  }
}
