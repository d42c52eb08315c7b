import {
  type AnyCheck,
  address,
  all,
  any,
  ConfigError,
  type Guard,
  guard,
  host,
  insecureAnyOrigin,
  origin,
  type RateLimitStore,
  rateLimit,
  secure,
  subprotocol,
  type Tickets,
  type TrustedProxiesOptions,
  throttleFailures,
} from "@firmshake/core";
import type { AuthenticateFirst } from "@firmshake/node";
import {
  type AuthenticationSurroundings,
  authenticationChecks,
  firstMessageOf,
} from "./authentication.ts";
import type { PolicyWords } from "./policy-words.ts";

/** A case's policy in terms of the public API. */
export interface LoadedPolicy {
  readonly checks: readonly AnyCheck[];
  readonly guard: Guard;
  readonly trustProxy: TrustedProxiesOptions | undefined;
  readonly paths: readonly string[] | undefined;
  /** What accepted sockets have to pass. */
  readonly authenticateFirst?: AuthenticateFirst | undefined;
}

/** What a policy cannot be loaded without. */
export interface PolicySurroundings extends AuthenticationSurroundings {
  /** The host that will be asked for. */
  readonly requestedHost: string | undefined;
  readonly store?: RateLimitStore;
  /** Issues a sequence's tickets. */
  readonly tickets?: Tickets | undefined;
  /** What a sequence checks besides, behind all others. */
  readonly more?: readonly AnyCheck[];
}

/**
 * Maps a policy's words to checks. A rule that the policy does not name is off, so what a guard does by default is turned off here.
 *
 * @throws {@link ConfigError} where the guard refuses the policy.
 */
export function loadPolicy(words: PolicyWords, surroundings: PolicySurroundings): LoadedPolicy {
  const checks = [
    originCheck(words),
    ...hostChecks(words, surroundings.requestedHost),
    ...addressChecks(words),
    ...(words.requireTls === true ? [secure()] : []),
    ...protocolChecks(words),
    ...rateChecks(words, surroundings.store),
    ...authenticated(words, surroundings),
    ...(surroundings.more ?? []),
  ];
  return {
    checks,
    guard: guard({ checks }),
    trustProxy: trustOf(words),
    paths: words.paths,
    authenticateFirst: firstMessageOf(words, surroundings),
  };
}

function authenticated(words: PolicyWords, surroundings: PolicySurroundings): readonly AnyCheck[] {
  const { tickets, store } = surroundings;
  const ways = words.any?.map((way) => all(...authenticationChecks(way, surroundings)));
  const checks = [
    // Without a way it is for the guard to refuse.
    ...(ways === undefined ? [] : [any(...(ways as [AnyCheck, ...AnyCheck[]]))]),
    ...authenticationChecks(words, surroundings),
    ...(tickets === undefined ? [] : [tickets]),
  ];
  if (words.throttle === undefined) return checks;
  const { failures, perSeconds, bySubject = false, ipv6PrefixBits } = words.throttle;
  const options = {
    limit: failures,
    windowMs: perSeconds * 1_000,
    ...(bySubject ? { subject: "claimed" as const } : {}),
    ...(ipv6PrefixBits === undefined ? {} : { ipv6PrefixBits }),
    ...(store === undefined ? {} : { store }),
  };
  return [throttleFailures(options, all(...checks))];
}

function originCheck({ origins, missingOrigin, nullOrigin }: PolicyWords): AnyCheck {
  if (origins === undefined || origins.includes("*any*")) return insecureAnyOrigin();
  return origin(origins, {
    allowMissing: missingOrigin === "allow",
    insecureAllowNull: nullOrigin === "allow",
  });
}

/**
 * Where no hosts are named, every host is served. The guard would still hold loopback to loopback names; naming the host that is about to
 * be asked for is how a user turns that off.
 */
function hostChecks(words: PolicyWords, requestedHost: string | undefined): readonly AnyCheck[] {
  if (words.hosts !== undefined) return [host(words.hosts)];
  if (words.loopbackRule === true || requestedHost === undefined) return [];
  try {
    return [host([requestedHost])];
  } catch (error) {
    // A Host that cannot be listed is no valid Host: the handshake itself will be refused.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

/** An empty list of denied addresses denies nobody; an empty list of allowed ones is for the guard to refuse. */
function addressChecks({ allowIps, denyIps = [] }: PolicyWords): readonly AnyCheck[] {
  if (allowIps === undefined && denyIps.length === 0) return [];
  return [
    address({
      ...(allowIps === undefined ? {} : { allow: allowIps }),
      ...(denyIps.length === 0 ? {} : { deny: denyIps }),
    }),
  ];
}

function protocolChecks({
  protocols = [],
  requireProtocol = false,
}: PolicyWords): readonly AnyCheck[] {
  if (protocols.length === 0 && !requireProtocol) return [];
  return [subprotocol(protocols, { required: requireProtocol })];
}

function rateChecks({ rate }: PolicyWords, store: RateLimitStore | undefined): readonly AnyCheck[] {
  if (rate === undefined) return [];
  return [
    rateLimit({
      limit: rate.handshakes,
      windowMs: rate.perSeconds * 1_000,
      key: rate.key === "user" ? "identity" : "address",
      ...(store === undefined ? {} : { store }),
    }),
  ];
}

function trustOf({
  trustProxy = [],
  forwardedHeader = "x-forwarded-for",
}: PolicyWords): TrustedProxiesOptions | undefined {
  if (trustProxy.length === 0) return undefined;
  return {
    proxies: trustProxy,
    ...(forwardedHeader === "either" ? {} : { header: forwardedHeader }),
  };
}
