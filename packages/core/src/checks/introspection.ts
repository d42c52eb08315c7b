import { type Allow, allowWith, type Refusal, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Identity } from "../handshake/identity.ts";
import { bearerToken } from "../tokens/bearer-token.ts";
import { extractToken } from "../tokens/extract-token.ts";
import { failureOf } from "../tokens/fetch-json.ts";
import { introspectedIdentity } from "../tokens/introspected-identity.ts";
import {
  type IntrospectionOptions,
  readIntrospectionOptions,
} from "../tokens/introspection-options.ts";
import { introspector } from "../tokens/introspector.ts";
import { sharedQuestions } from "../tokens/shared-questions.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import type { TokenSource } from "../tokens/token-source.ts";
import { verifiedTokenCache } from "../tokens/verified-token-cache.ts";

/**
 * Authenticates by a token that its issuer is asked about (RFC 7662): opaque tokens, and such as may be revoked at any time. What the issuer
 * calls active must also be for this audience, within its time, and of the type Bearer; a token that is bound to a key (`cnf`) is refused,
 * since no proof of that key is looked at.
 *
 * Adds the fact `identity`. One answer (401 `invalid_token`) covers unknown, expired and revoked alike; where the issuer cannot be asked, or
 * answers something else, the handshake is refused by 503 `keys_unavailable`. Each token is asked about once at a time, however many
 * handshakes bring it, and no longer than one of them is there.
 *
 * @throws {@link ConfigError} where the options leave out or contradict something.
 *
 * @example
 * ```ts
 * import { guard, introspection } from "@firmshake/core";
 *
 * const chat = guard(
 *   introspection({
 *     issuer: "https://id.example.com",
 *     audience: "https://chat.example.com",
 *     clientId: "chat-server",
 *     clientSecret: "…", // from wherever secrets are kept
 *   }),
 * );
 * ```
 */
export function introspection(
  options: IntrospectionOptions,
): Check<{ readonly identity: Identity }> {
  const read = readIntrospectionOptions(options);
  const { from = [bearerToken(), subprotocolToken()], maxTokenBytes = 8_192, cache } = read;
  const { timeoutMs = 3_000, maxPending = 100 } = read;
  const ask = introspector(read, timeoutMs);
  const share = sharedQuestions<Identity | Refusal>(maxPending, timeoutMs);
  // Two, so that made-up tokens crowd out no good ones.
  const good = cache && verifiedTokenCache<Identity>(cache.maxTokens, cache.maxAgeMs ?? 10_000);
  const refused =
    cache && verifiedTokenCache<RefusedToken>(cache.maxTokens, cache.maxRefusedAgeMs ?? 5_000);

  async function decideOn(token: string, leaving: AbortSignal): Promise<Decided> {
    const key = await digestOf(token);
    const known = good?.find(key, noKeys) ?? refused?.find(key, noKeys)?.refusal;
    if (known !== undefined) return decided(known);
    try {
      return decided(await share(key, leaving, (signal) => questionOf(token, key, signal)));
    } catch (error) {
      return unavailable(error);
    }
  }

  async function questionOf(
    token: string,
    key: string,
    signal: AbortSignal,
  ): Promise<Identity | Refusal> {
    const outcome = introspectedIdentity(await ask(token, signal), read);
    if ("ok" in outcome) {
      refused?.remember(key, { refusal: outcome, expiresAt: undefined }, noKeys);
    } else {
      good?.remember(key, outcome, noKeys);
    }
    return outcome;
  }

  return defineCheck(
    {
      name: "introspection",
      summary: summaryOf(read, from),
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      withhold: (handshake) => void extractToken(handshake, from, maxTokenBytes),
      weaknesses: weaknessesOf(read),
    },
    (handshake) => {
      const token = extractToken(handshake, from, maxTokenBytes);
      return typeof token === "string" ? decideOn(token, handshake.signal) : token;
    },
  );
}

type Decided = Allow<{ readonly identity: Identity }> | Refusal;

interface RefusedToken {
  readonly refusal: Refusal;
  readonly expiresAt: undefined;
}

/** No keys of ours vouch for these tokens, so none can change. */
const noKeys = 0;

const decided = (outcome: Identity | Refusal): Decided =>
  "ok" in outcome ? outcome : allowWith({ identity: outcome });

const unavailable = (cause: unknown): Refusal =>
  refuse("keys_unavailable", undefined, {
    headers: [["Retry-After", "5"]],
    reason: failureOf(cause),
    cause,
  });

/** What is kept in memory opens nothing. */
async function digestOf(token: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(token));
  return String.fromCharCode(...new Uint8Array(digest));
}

const weaknessesOf = (options: IntrospectionOptions): readonly string[] => [
  ...(options.insecureAllowMissingAudience
    ? ["insecureAllowMissingAudience: tokens that are for nobody in particular are accepted"]
    : []),
  ...(options.insecureAllowMissingExpiry
    ? ["insecureAllowMissingExpiry: tokens that never end are accepted"]
    : []),
];

const summaryOf = (
  { endpoint, issuer, audience }: IntrospectionOptions,
  from: readonly TokenSource[],
): string =>
  [
    ...(issuer === undefined ? [] : [`issuer ${issuer}`]),
    `audience ${typeof audience === "string" ? audience : audience.join(" or ")}`,
    endpoint === undefined ? "endpoint by discovery" : `asked at ${new URL(endpoint).origin}`,
    `from ${from.map(({ name }) => name).join(", ")}`,
  ].join("; ");
