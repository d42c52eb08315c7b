import { createHash } from "node:crypto";
import {
  type AnyCheck,
  apiKey,
  authorize,
  bearerToken,
  cookieToken,
  headerToken,
  introspection,
  type JwtOptions,
  jwt,
  queryToken,
  requireClaim,
  requireScope,
  subprotocolToken,
  type TokenSource,
  tokenVerifier,
} from "@firmshake/core";
import {
  type AuthenticateFirst,
  boundToCertificate,
  clientCertificate,
  firstMessage,
} from "@firmshake/node";
import type {
  ApiKeyWords,
  AuthenticationWords,
  DpopWords,
  IntrospectionWords,
  JwtWords,
  PolicyWords,
} from "./policy-words.ts";
import type { Services } from "./services.ts";
import type { TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** What words on authentication cannot be understood without. */
export interface AuthenticationSurroundings {
  readonly builder: TokenBuilder;
  readonly services: Services;
  /** The `typ` that the token will have. */
  readonly tokenType: string | undefined;
}

/** Maps what is said of who it must be to checks. */
export function authenticationChecks(
  words: AuthenticationWords,
  surroundings: AuthenticationSurroundings,
): readonly AnyCheck[] {
  const { apiKeys, clientCertificate: certificate, requireClaim: claim } = words;
  return [
    ...jwtChecks(words.jwt, surroundings),
    ...introspectionChecks(words.introspection, surroundings),
    ...(apiKeys === undefined ? [] : [apiKey({ keys: apiKeys.map(storedKey) })]),
    ...(certificate === undefined ? [] : [clientCertificate(withoutAbsent(certificate))]),
    ...(words.boundToCertificate === undefined
      ? []
      : [boundToCertificate({ from: words.boundToCertificate })]),
    ...authorizeChecks(words.authorize, surroundings),
    ...(words.requireScope === undefined
      ? []
      : [requireScope(...(words.requireScope as [string, ...string[]]))]),
    ...(claim === undefined ? [] : [requireClaim(claim.name, claim.values)]),
  ];
}

/** What accepted sockets have to pass, where the policy says so. */
export function firstMessageOf(
  { firstMessage: words }: PolicyWords,
  surroundings: AuthenticationSurroundings,
): AuthenticateFirst | undefined {
  if (words === undefined) return undefined;
  const { jwt: token, ...limits } = words;
  const {
    from: _from,
    dpop: _dpop,
    certificateBound: _bound,
    ...options
  } = jwtOptions(token, surroundings);
  return firstMessage(withoutAbsent({ ...limits, verify: tokenVerifier(options) }));
}

/** In sequences a key's name stands for the whole policy. */
const namedJwt = {
  algorithms: ["HS256"],
  issuer: "https://id.example.com",
  audience: "ws.example.com",
  requireExp: true,
  // Cases do not ask for a subject, but for the user of a sequence.
  subjectClaim: "sub",
};

function jwtChecks(
  given: AuthenticationWords["jwt"],
  surroundings: AuthenticationSurroundings,
): readonly AnyCheck[] {
  if (given === undefined) return [];
  const words = typeof given === "string" ? { ...namedJwt, keys: given } : given;
  return [jwt(jwtOptions(words, surroundings))];
}

function jwtOptions(
  words: Partial<JwtWords>,
  { builder, services, tokenType }: AuthenticationSurroundings,
): JwtOptions {
  const { metadata, keys } = words;
  if ((keys === undefined) === (metadata === undefined)) {
    throw new WordError("policy.jwt: give either keys or metadata");
  }
  const known = keys === undefined ? undefined : builder.keys.verify[keys];
  if (keys !== undefined && known === undefined) {
    throw new WordError(`policy.jwt.keys: unknown key "${keys}"`);
  }
  return withoutAbsent({
    // A policy without these is one that the guard must refuse to load.
    issuer: (metadata === undefined ? words.issuer : services.originOf(metadata)) as string,
    audience: words.audience as string,
    keys: known,
    algorithms: words.algorithms,
    subjectClaim: words.subjectClaim ?? "iss",
    profile: words.profile,
    // Not naming a type turns that rule off, so whatever type the token has is the one asked for.
    typ:
      words.typ ??
      (words.defaultTyp === true || words.profile !== undefined ? undefined : tokenType),
    clockToleranceSeconds: words.clockToleranceSeconds,
    maxLifetimeSeconds: words.maxLifetimeSeconds,
    maxTokenBytes: words.maxTokenBytes ?? 1_000_000,
    insecureAllowMissingExpiry: words.requireExp !== true,
    from: words.from?.map(tokenSource),
    certificateBound: words.certificateBound,
    dpop: words.dpop && dpopOptions(words.dpop),
  });
}

const dpopOptions = ({ asksForNonce, ...words }: DpopWords): NonNullable<JwtOptions["dpop"]> =>
  withoutAbsent({ ...words, nonce: asksForNonce === true ? {} : undefined });

/** By which the issuer knows that it is this service that asks. */
const introspectionClient = { clientId: "chat-server", clientSecret: "a secret of two" };

function introspectionChecks(
  words: IntrospectionWords | undefined,
  { services }: AuthenticationSurroundings,
): readonly AnyCheck[] {
  if (words === undefined) return [];
  const { answer, metadata, from, issuer, ...others } = words;
  if ((answer === undefined) === (metadata === undefined)) {
    throw new WordError("policy.introspection: give either answer or metadata");
  }
  const place =
    answer === undefined
      ? { issuer: metadata && services.originOf(metadata) }
      : { issuer, endpoint: `${services.originOf(answer)}/introspect` };
  const options = { ...others, ...place, ...introspectionClient, from: from?.map(tokenSource) };
  return [introspection(withoutAbsent(options))];
}

function authorizeChecks(
  words: AuthenticationWords["authorize"],
  { services }: AuthenticationSurroundings,
): readonly AnyCheck[] {
  if (words === undefined) return [];
  const { answer, ...options } = words;
  return [authorize(`${services.originOf(answer)}/authorize`, withoutAbsent(options))];
}

/** As the guard is given it: it has not seen the key. */
function storedKey({ key, subject, expiresInSeconds }: ApiKeyWords): {
  readonly id: string;
  readonly hash: string;
  readonly subject: string;
} {
  const hash = `sha256:${createHash("sha256").update(key).digest("hex")}`;
  const expiresAt =
    expiresInSeconds === undefined ? undefined : Date.now() + expiresInSeconds * 1_000;
  return { id: key.split("_").at(-2) ?? "", hash, subject, ...withoutAbsent({ expiresAt }) };
}

function tokenSource(word: string): TokenSource {
  const [kind, name = ""] = word.split(":");
  if (kind === "bearer") return bearerToken();
  if (kind === "subprotocol") return subprotocolToken();
  if (kind === "cookie") return cookieToken(name);
  if (kind === "query") return queryToken(name);
  if (kind === "header") return headerToken(name);
  throw new WordError(`policy.from: unknown source "${word}"`);
}

type Present<Options> = { [Name in keyof Options]: Exclude<Options[Name], undefined> };

/** Options that are not given must not be there at all. */
function withoutAbsent<Options extends object>(options: Options): Present<Options> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Present<Options>;
}
