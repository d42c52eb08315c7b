import { ConfigError } from "../config/config-error.ts";
import {
  aBoolean,
  aCount,
  aFunction,
  anObject,
  aPositiveInteger,
  aTimeoutMs,
  oneOf,
  readOptions,
} from "../config/options.ts";
import { allow, type MaybePromise } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { addTerm, type ConnectionTerm } from "../handshake/connection-terms.ts";
import type { Identity } from "../handshake/identity.ts";

/** An accepted WebSocket, as far as every gate knows it. */
export interface OpenConnection<Facts extends object = object> {
  /** The path that it was opened with, without the query. */
  readonly path: string;
  /** Everything that the checks have added. */
  readonly facts: Readonly<Facts>;
  /** Who is authenticated: whom the handshake, a first message, or the last renewal has found. */
  readonly identity: Facts extends { readonly identity: infer Known }
    ? Known
    : Identity | undefined;
  /** When it was handed over, in milliseconds since 1970. */
  readonly acceptedAt: number;
}

/** What {@link lifetime} takes. What is left out is as the gate has it; 0 turns a limit off. */
export interface LifetimeOptions {
  /** How long a connection may outlive its token, in milliseconds. Default 0. */
  readonly expiryGraceMs?: number;
  /** Whether the close tells the client to come again with a new token. Default `retryable`. */
  readonly expiryClose?: "retryable" | "terminal";
  /** Lets connections outlive their tokens. */
  readonly insecureIgnoreExpiry?: boolean;
  /** How long a connection may be open at all, whatever is renewed. Default 0: for ever. */
  readonly maxAgeMs?: number;
  /** By which part of `maxAgeMs` it may be shorter, by chance, so that not all end at once. From 0 to 1. Default 0.1. */
  readonly maxAgeJitter?: number;
  /** How long a client may send no message. Pongs, and pings, are none. Default 0: for ever. */
  readonly idleMs?: number;
  /** After how long a silence of the client the gate sends a ping. Default 30,000. */
  readonly pingIntervalMs?: number;
  /** How long the client may be silent after that. Default 20,000. */
  readonly pongTimeoutMs?: number;
  /** Asks from time to time whether a connection is still allowed, where nobody tells. */
  readonly revalidate?: RevalidateOptions;
}

/** How connections are asked about again. */
export interface RevalidateOptions {
  readonly everyMs: number;
  /** By which part of `everyMs` each turn may be earlier, by chance. From 0 to 1. Default 0.2. */
  readonly jitter?: number;
  /** Answers with `true` where the connection may stay; everything else closes it. */
  readonly by: (connection: OpenConnection, signal: AbortSignal) => MaybePromise<boolean>;
  /** What becomes of a connection where `by` throws, rejects, or takes too long. Default `close`. */
  readonly onFailure?: "close" | "keep";
  /** How long an answer may take. Default 5,000. */
  readonly timeoutMs?: number;
  /** How many questions may be open at a time. Default 10. */
  readonly maxConcurrent?: number;
}

/** What a guard has asked for. */
export interface LifetimeTerm extends ConnectionTerm {
  readonly kind: "lifetime";
  readonly options: LifetimeOptions;
}

/** What holds for a connection. */
export interface LifetimeRules {
  /** Undefined where tokens may be outlived. */
  readonly expiryGraceMs: number | undefined;
  readonly expiryClose: "retryable" | "terminal";
  readonly maxAgeMs: number;
  readonly maxAgeJitter: number;
  readonly idleMs: number;
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly revalidate: readonly Required<RevalidateOptions>[];
}

/**
 * Says how long connections may live that come of a handshake. Allows always; a gate carries it out.
 *
 * Of several on the way of a handshake the strictest counts, and what is said here replaces what the gate would do by itself.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, jwt, lifetime, origin } from "@firmshake/core";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 *   lifetime({ expiryGraceMs: 10_000, maxAgeMs: 8 * 3_600_000, idleMs: 600_000 }),
 * );
 * ```
 */
export function lifetime(options: LifetimeOptions): Check {
  const read = readLifetimeOptions("lifetime", options);
  const term: LifetimeTerm = Object.freeze({ kind: "lifetime", options: read });
  return defineCheck(
    {
      name: "lifetime",
      summary: summaryOf(read),
      rank: ranks.address,
      weaknesses: read.insecureIgnoreExpiry === true ? ["connections outlive their tokens"] : [],
    },
    (handshake) => {
      addTerm(handshake, term);
      return allow;
    },
  );
}

/** @throws {@link ConfigError} for options that are not as described. */
export function readLifetimeOptions(owner: string, options: unknown): LifetimeOptions {
  const read = readOptions<LifetimeOptions>(owner, options, {
    expiryGraceMs: aCount,
    expiryClose: oneOf("retryable", "terminal"),
    insecureIgnoreExpiry: aBoolean,
    maxAgeMs: aCount,
    maxAgeJitter: aPart,
    idleMs: aCount,
    pingIntervalMs: aCount,
    pongTimeoutMs: aPositiveInteger,
    revalidate: anObject,
  });
  if (read.insecureIgnoreExpiry === true && read.expiryGraceMs !== undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `${owner}: with "insecureIgnoreExpiry" nothing ends at expiry, so "expiryGraceMs" says nothing.`,
    );
  }
  if (read.revalidate === undefined) return Object.freeze(read);
  return Object.freeze({ ...read, revalidate: readRevalidate(owner, read.revalidate) });
}

const aPart = {
  expected: "a number from 0 to 1",
  accepts: (value: unknown): boolean => typeof value === "number" && value >= 0 && value <= 1,
};

function readRevalidate(owner: string, options: RevalidateOptions): Required<RevalidateOptions> {
  const read = readOptions<RevalidateOptions>(
    `${owner}: revalidate`,
    options,
    {
      everyMs: aPositiveInteger,
      jitter: aPart,
      by: aFunction,
      onFailure: oneOf("close", "keep"),
      timeoutMs: aTimeoutMs,
      maxConcurrent: aPositiveInteger,
    },
    ["everyMs", "by"],
  );
  const { everyMs, by, jitter = 0.2, onFailure = "close" } = read;
  const { timeoutMs = 5_000, maxConcurrent = 10 } = read;
  return Object.freeze({ everyMs, by, jitter, onFailure, timeoutMs, maxConcurrent });
}

/**
 * What holds for a connection: of what was said explicitly, the strictest.
 *
 * @param options - Of the guards that it has passed.
 * @param fallback - Of the gate.
 */
export function strictestLifetime(
  options: readonly LifetimeOptions[],
  fallback: LifetimeOptions,
): LifetimeRules {
  const said = <Name extends keyof LifetimeOptions>(
    name: Name,
  ): readonly Exclude<LifetimeOptions[Name], undefined>[] => {
    const values = options.flatMap((one) => one[name] ?? []);
    const all = values.length > 0 ? values : [fallback[name] ?? []].flat();
    return all as readonly Exclude<LifetimeOptions[Name], undefined>[];
  };
  const limit = (
    name: "maxAgeMs" | "idleMs" | "pingIntervalMs" | "pongTimeoutMs",
    otherwise = 0,
  ): number => {
    const values = said(name);
    if (values.length === 0) return otherwise;
    const on = values.filter((value) => value > 0);
    return on.length === 0 ? 0 : Math.min(...on);
  };
  const speaks = ({ expiryGraceMs, insecureIgnoreExpiry }: LifetimeOptions): boolean =>
    expiryGraceMs !== undefined || insecureIgnoreExpiry !== undefined;
  const ofExpiry = options.some(speaks) ? options.filter(speaks) : [fallback];
  const isIgnored = ofExpiry.every(({ insecureIgnoreExpiry }) => insecureIgnoreExpiry === true);
  const graces = ofExpiry.flatMap(({ expiryGraceMs }) => expiryGraceMs ?? []);
  return Object.freeze({
    expiryGraceMs: isIgnored ? undefined : Math.min(...(graces.length > 0 ? graces : [0])),
    expiryClose: said("expiryClose").includes("terminal") ? "terminal" : "retryable",
    maxAgeMs: limit("maxAgeMs"),
    maxAgeJitter: Math.max(0, ...(said("maxAgeJitter").length > 0 ? said("maxAgeJitter") : [0.1])),
    idleMs: limit("idleMs"),
    pingIntervalMs: limit("pingIntervalMs", 30_000),
    pongTimeoutMs: limit("pongTimeoutMs", 20_000),
    revalidate: Object.freeze(said("revalidate") as readonly Required<RevalidateOptions>[]),
  });
}

/** What holds, in words. */
export function describeLifetime(rules: LifetimeRules): string {
  const { expiryGraceMs, maxAgeMs, idleMs, pingIntervalMs, pongTimeoutMs } = rules;
  return [
    expiryGraceMs === undefined
      ? "not ended at expiry"
      : `end ${seconds(expiryGraceMs)} after expiry`,
    limitIn("age", maxAgeMs),
    limitIn("idle", idleMs),
    pingIntervalMs === 0
      ? "ping: never"
      : `ping after ${seconds(pingIntervalMs)}, answered in ${seconds(pongTimeoutMs)}`,
  ].join(", ");
}

function summaryOf(options: LifetimeOptions): string {
  const { expiryGraceMs, insecureIgnoreExpiry, maxAgeMs, idleMs, pingIntervalMs, revalidate } =
    options;
  const words = [
    insecureIgnoreExpiry ? "not ended at expiry" : undefined,
    expiryGraceMs === undefined ? undefined : `ends ${seconds(expiryGraceMs)} after expiry`,
    limitIn("age", maxAgeMs),
    limitIn("idle", idleMs),
    limitIn("ping", pingIntervalMs),
    revalidate === undefined ? undefined : `asked about every ${seconds(revalidate.everyMs)}`,
  ];
  return words.filter((word) => word !== undefined).join(", ");
}

const seconds = (milliseconds: number): string => `${milliseconds / 1_000} s`;

function limitIn(name: string, milliseconds: number | undefined): string | undefined {
  if (milliseconds === undefined) return undefined;
  return milliseconds === 0 ? `${name}: no limit` : `${name} ${seconds(milliseconds)}`;
}
