import { ConfigError } from "../config/config-error.ts";
import { aCount, either, type OptionRule, oneOf, readOptions } from "../config/options.ts";
import { allow } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { addTerm, type ConnectionTerm } from "../handshake/connection-terms.ts";

/** That many at once, and in each window after that, evenly spread. */
export interface FrameRate {
  readonly limit: number;
  readonly windowMs: number;
}

/** What the frames of an accepted connection are held to. 0 turns a limit off. */
export interface LimitsOptions {
  /** The payloads of a message's frames together, as they are announced. Above: closed with 1009 before the library sees the frame. Default 65,536. */
  readonly maxMessageBytes?: number;
  /** Into how many frames a message may be cut. Default 1,024. */
  readonly maxFragments?: number;
  /** Messages of one connection. Default: off. */
  readonly messages?: FrameRate | 0;
  /** Payload bytes of one connection's messages. Default: off. */
  readonly bytes?: FrameRate | 0;
  /** Messages of one identity over all its connections to this process. Default: off. */
  readonly messagesPerIdentity?: FrameRate | 0;
  /** Payload bytes of one identity's messages, likewise. Default: off. */
  readonly bytesPerIdentity?: FrameRate | 0;
  /** Pings, pongs and close frames of one connection. Default 50 in 10 seconds. */
  readonly controlFrames?: FrameRate | 0;
  /**
   * Whether messages may be compressed (RFC 7692): what the client offers is changed before the library sees it. `off` (the default): no
   * extension is offered. `bounded`: `permessage-deflate` alone, with windows of 4 KiB and none kept between messages. `allow`: as it was
   * offered. `maxMessageBytes` counts what is on the wire; how far it may inflate is for the library to limit.
   */
  readonly compression?: "off" | "bounded" | "allow";
  /**
   * How many bytes may wait for a client that reads too slowly. What is still there of them after `bufferedGraceMs`, or four times as many at any time,
   * closes it with 1013. Default 16,777,216.
   */
  readonly maxBufferedBytes?: number;
  /** Default 30,000. */
  readonly bufferedGraceMs?: number;
}

/** By which gates know what {@link limits} asks of a connection. */
export const limitsKind = "limits";

/** What {@link limits} asks of a connection. */
export interface LimitsTerm extends ConnectionTerm {
  readonly kind: typeof limitsKind;
  /** What was said explicitly. */
  readonly limits: LimitsOptions;
}

/**
 * Says what the frames of the connections that a guard lets in are held to. Always allows; gates carry it out, below the library. What a
 * guard says counts instead of the gate's own `limits`; of what several guards on the way say, the strictest.
 *
 * @throws {@link ConfigError} for options that are not as described.
 * @see RFC 6455 §10.4
 *
 * @example
 * ```ts
 * import { guard, limits, origin } from "@firmshake/core";
 *
 * const uploads = guard(
 *   origin(["https://app.example.com"]),
 *   limits({ maxMessageBytes: 1_048_576, messages: { limit: 50, windowMs: 1_000 } }),
 * );
 * ```
 */
export function limits(options: LimitsOptions): Check {
  const read = readLimits("limits", options);
  const term: LimitsTerm = Object.freeze({ kind: limitsKind, limits: read });
  const needsIdentity = isRate(read.messagesPerIdentity) || isRate(read.bytesPerIdentity);
  return defineCheck(
    {
      name: "limits",
      summary: describeLimits(read),
      ...(needsIdentity ? { rank: ranks.identity } : { rank: ranks.address }),
      needsIdentity,
      weaknesses: weaknessesOf(read),
    },
    (handshake) => {
      addTerm(handshake, term);
      return allow;
    },
  );
}

/**
 * Reads the options of {@link limits}, wherever they stand.
 *
 * @throws {@link ConfigError} for options that are not as described.
 */
export function readLimits(owner: string, options: LimitsOptions): LimitsOptions {
  const read = readOptions<LimitsOptions>(owner, options, {
    maxMessageBytes: aCount,
    maxFragments: aCount,
    messages: aRate,
    bytes: aRate,
    messagesPerIdentity: aRate,
    bytesPerIdentity: aRate,
    controlFrames: aRate,
    compression: oneOf("off", "bounded", "allow"),
    maxBufferedBytes: aCount,
    bufferedGraceMs: aCount,
  });
  for (const name of ["bytes", "bytesPerIdentity"] as const) {
    const rate = read[name];
    const { maxMessageBytes } = read;
    if (isRate(rate) && maxMessageBytes !== undefined && maxMessageBytes > rate.limit) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
        `${owner}: a message of "maxMessageBytes" would never pass "${name}". Raise its "limit" to ${maxMessageBytes} at least, or lower "maxMessageBytes".`,
      );
    }
  }
  if (read.bufferedGraceMs !== undefined && read.maxBufferedBytes === 0) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `${owner}: "bufferedGraceMs" means nothing while "maxBufferedBytes" is 0. Leave one of them out.`,
    );
  }
  return Object.freeze({ ...read });
}

const largestWindowMs = 2 ** 31 - 1;

const aRate: OptionRule = either({
  expected: "{ limit, windowMs } of whole numbers above 0, or 0",
  accepts: (value) => {
    if (value === 0) return true;
    if (typeof value !== "object" || value === null) return false;
    const { limit, windowMs, ...others } = value as Record<string, unknown>;
    return (
      isPositive(limit) &&
      isPositive(windowMs) &&
      windowMs <= largestWindowMs &&
      limit * windowMs <= Number.MAX_SAFE_INTEGER &&
      Object.keys(others).length === 0
    );
  },
});

const isPositive = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) > 0;

const isRate = (rate: FrameRate | 0 | undefined): rate is FrameRate =>
  rate !== undefined && rate !== 0;

/** For `explain()`: what was said, in the order of the options. */
export function describeLimits(read: LimitsOptions): string {
  const said = Object.entries(labels).flatMap(([name, label]) => {
    const value = read[name as keyof LimitsOptions];
    return value === undefined ? [] : [`${label} ${textOf(value)}`];
  });
  return said.length === 0 ? "the gate's own" : said.join(", ");
}

const labels: { readonly [Name in keyof Required<LimitsOptions>]: string } = {
  maxMessageBytes: "message bytes",
  maxFragments: "fragments",
  messages: "messages",
  bytes: "bytes",
  messagesPerIdentity: "messages of an identity",
  bytesPerIdentity: "bytes of an identity",
  controlFrames: "control frames",
  compression: "compression",
  maxBufferedBytes: "buffered bytes",
  bufferedGraceMs: "grace in ms",
};

function textOf(value: number | string | FrameRate): string {
  if (value === 0) return "unlimited";
  return typeof value === "object" ? `${value.limit} in ${value.windowMs / 1_000} s` : `${value}`;
}

function weaknessesOf({ maxMessageBytes, maxBufferedBytes }: LimitsOptions): readonly string[] {
  return [
    ...(maxMessageBytes === 0 ? ["messages of any size"] : []),
    ...(maxBufferedBytes === 0 ? ["clients that never read"] : []),
  ];
}
