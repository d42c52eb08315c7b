import {
  type AnyCheck,
  address,
  bearerToken,
  ConfigError,
  cookieToken,
  type Guard,
  guard,
  host,
  insecureAnyOrigin,
  jwt,
  origin,
  queryToken,
  type RateLimitStore,
  rateLimit,
  secure,
  subprotocol,
  subprotocolToken,
  type Tickets,
  type TokenSource,
  type TrustedProxiesOptions,
} from "@firmshake/core";
import type { JwtWords, PolicyWords } from "./case.ts";
import type { TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** A case's policy in terms of the public API. */
export interface LoadedPolicy {
  readonly checks: readonly AnyCheck[];
  readonly guard: Guard;
  readonly trustProxy: TrustedProxiesOptions | undefined;
  readonly paths: readonly string[] | undefined;
}

/** What a policy cannot be loaded without. */
export interface PolicySurroundings {
  readonly builder: TokenBuilder;
  /** The host that will be asked for. */
  readonly requestedHost: string | undefined;
  /** The `typ` that the token will have. */
  readonly tokenType: string | undefined;
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
    ...jwtChecks(words, surroundings),
    ...(surroundings.tickets === undefined ? [] : [surroundings.tickets]),
    ...(surroundings.more ?? []),
  ];
  return { checks, guard: guard({ checks }), trustProxy: trustOf(words), paths: words.paths };
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

/** In sequences a key's name stands for the whole policy. */
const namedJwt: Omit<JwtWords, "keys"> = {
  algorithms: ["HS256"],
  issuer: "https://id.example.com",
  audience: "ws.example.com",
  requireExp: true,
  typ: undefined,
  defaultTyp: undefined,
  clockToleranceSeconds: undefined,
  maxTokenBytes: undefined,
  maxLifetimeSeconds: undefined,
  from: undefined,
};

function jwtChecks(
  { jwt: given }: PolicyWords,
  { builder, tokenType }: PolicySurroundings,
): readonly AnyCheck[] {
  if (given === undefined) return [];
  const isNamed = typeof given === "string";
  const words: JwtWords = isNamed ? { ...namedJwt, keys: given } : given;
  const keys = builder.keys.verify[words.keys];
  if (keys === undefined) throw new WordError(`policy.jwt.keys: unknown key "${words.keys}"`);
  const options = {
    // A policy without these is one that the guard must refuse to load.
    issuer: words.issuer as string,
    audience: words.audience as string,
    keys,
    algorithms: words.algorithms,
    // Cases do not ask for a subject, but for the user of a sequence.
    subjectClaim: isNamed ? "sub" : "iss",
    // Not naming a type turns that rule off, so whatever type the token has is the one asked for.
    typ: words.typ ?? (words.defaultTyp === true ? undefined : tokenType),
    clockToleranceSeconds: words.clockToleranceSeconds,
    maxLifetimeSeconds: words.maxLifetimeSeconds,
    maxTokenBytes: words.maxTokenBytes ?? 1_000_000,
    insecureAllowMissingExpiry: words.requireExp !== true,
    from: words.from?.map(tokenSource),
  };
  return [jwt(withoutAbsent(options))];
}

function tokenSource(word: string): TokenSource {
  const [kind, name = ""] = word.split(":");
  if (kind === "bearer") return bearerToken();
  if (kind === "subprotocol") return subprotocolToken();
  if (kind === "cookie") return cookieToken(name);
  if (kind === "query") return queryToken(name);
  throw new WordError(`policy.jwt.from: unknown source "${word}"`);
}

type Present<Options> = { [Name in keyof Options]: Exclude<Options[Name], undefined> };

/** Options that are not given must not be there at all. */
function withoutAbsent<Options extends object>(options: Options): Present<Options> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Present<Options>;
}
