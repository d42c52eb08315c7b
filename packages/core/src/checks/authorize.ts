import {
  type Authorization,
  type AuthorizeFacts,
  readAuthorization,
} from "../authorize/authorization.ts";
import { authorizationService, UnusableAuthorization } from "../authorize/authorization-service.ts";
import {
  type AuthorizeCacheOptions,
  type AuthorizeOptions,
  readAuthorizeOptions,
} from "../authorize/authorize-options.ts";
import { sparingCache } from "../cache/sparing-cache.ts";
import { ConfigError } from "../config/config-error.ts";
import { kindOf } from "../config/options.ts";
import {
  type Allow,
  allowWith,
  type Decision,
  isRefusal,
  type MaybePromise,
  type Refusal,
  refuse,
} from "../decision/decision.ts";
import { withinTime } from "../fetch/within-time.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";

/**
 * Decides by whatever it asks. It answers with what it found out to let a handshake in, with `true` where that is nothing, with `false` or
 * {@link refuse} to refuse it. The signal aborts when nobody waits any more.
 */
export type Authorizer = (
  handshake: Handshake,
  signal: AbortSignal,
) => MaybePromise<Authorization | Refusal | boolean>;

/**
 * Asks somebody else: a service over HTTP, or a function. Within bounds of time, number and size, and it fails closed: outage, slowness and
 * answers that cannot be read refuse with 503 `authorization_unavailable`.
 *
 * The service gets a `POST` of JSON and answers 204, or 200 with `{ "identity"?, "facts"? }`, to let the handshake in; 401, 403 and 429
 * (whose `Retry-After` is passed on) refuse it. Redirects are not followed.
 *
 * Adds the facts `authorized`, and `identity` where the answer names somebody. Runs last, so that it is told who `jwt` and others found.
 *
 * @throws {@link ConfigError} for a URL without TLS, except on loopback, and for options that are not as described.
 *
 * @example
 * ```ts
 * import { authorize, guard, jwt, origin } from "@firmshake/core";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   jwt({ issuer: "https://id.example.com", audience: "chat", jwksUri: "https://id.example.com/jwks.json" }),
 *   authorize("https://policy.example.com/websocket", { timeoutMs: 500 }),
 * );
 * ```
 */
export function authorize(
  service: string | URL | Authorizer,
  options: AuthorizeOptions = {},
): Check<AuthorizeFacts> {
  if (!(typeof service === "function" || typeof service === "string" || service instanceof URL)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `authorize: give the URL of a service or a function, not ${kindOf(service)}.`,
    );
  }
  const read = readAuthorizeOptions(options, typeof service === "function");
  const { timeoutMs = 2_000, maxPending = 100, cache, headers = [] } = read;
  const ask = typeof service === "function" ? service : authorizationService(service, read);
  const inquire = inquiry(ask, timeoutMs, maxPending);
  return defineCheck<AuthorizeFacts>(
    {
      name: "authorize",
      summary: [
        typeof service === "function" ? "by a function" : `by ${new URL(service).origin}`,
        `within ${timeoutMs} ms`,
        ...(headers.length === 0 ? [] : [`told ${headers.join(", ")}`]),
        ...(cache === undefined ? [] : [`remembered for ${cache.maxAgeMs} ms`]),
      ].join(", "),
      rank: ranks.identity,
      ...(headers.some((name) => name.toLowerCase() === "cookie") ? { credential: "ambient" } : {}),
      givesIdentity: true,
    },
    cache === undefined ? inquire : remembering(inquire, cache),
  );
}

type Inquiry = (handshake: Handshake) => MaybePromise<Decision<AuthorizeFacts>>;

const unavailable = (reason: string, cause?: unknown): Refusal =>
  refuse("authorization_unavailable", undefined, {
    headers: [["Retry-After", "5"]],
    reason: `authorize: ${reason}`,
    cause,
  });
const tooMany = unavailable("maxPending questions are open");
const noAnswer = unavailable("the answer is not as described");
const forbidden = refuse("forbidden", undefined, { reason: "authorize: the function said no" });
const outdated = refuse("unauthorized", undefined, { reason: "authorize: the identity has ended" });

function inquiry(
  ask: (...asked: Parameters<Authorizer>) => unknown,
  timeoutMs: number,
  maxPending: number,
): Inquiry {
  let pending = 0;
  return async (handshake) => {
    if (pending >= maxPending) return tooMany;
    pending++;
    try {
      return conclude(
        await withinTime(timeoutMs, (signal) => ask(handshake, signal), handshake.signal),
      );
    } catch (error) {
      return unavailable(reasonOf(error), error);
    } finally {
      pending--;
    }
  };
}

function conclude(answer: unknown): Decision<AuthorizeFacts> {
  if (isRefusal(answer)) return answer;
  if (answer === false) return forbidden;
  const facts = readAuthorization(answer === true ? {} : answer);
  if (facts === undefined) return noAnswer;
  const { expiresAt = Number.POSITIVE_INFINITY } = facts.identity ?? {};
  return expiresAt > Date.now() ? allowWith(facts) : outdated;
}

/** Messages of foreign errors may hold anything. */
function reasonOf(error: unknown): string {
  if (error instanceof UnusableAuthorization) return error.message;
  return error instanceof Error ? error.name : "failed";
}

const maxKeyLength = 1_024;
const invalidKey = refuse("check_failed", undefined, {
  reason: "authorize: the key is no text, or too long",
});

/** Remembers who was let in; refusals are asked for anew each time. */
function remembering(
  inquire: Inquiry,
  { maxEntries, maxAgeMs, key: keyOf }: AuthorizeCacheOptions,
): Inquiry {
  const remembered = sparingCache<{
    readonly decision: Allow<AuthorizeFacts>;
    readonly until: number;
  }>(maxEntries);
  return (handshake) => {
    const key: unknown = keyOf(handshake);
    if (key === undefined) return inquire(handshake);
    if (typeof key !== "string" || key.length > maxKeyLength) return invalidKey;
    const known = remembered.find(key);
    return known !== undefined && known.until > Date.now()
      ? known.decision
      : inquireAnew(key, handshake);
  };

  async function inquireAnew(key: string, handshake: Handshake): Promise<Decision<AuthorizeFacts>> {
    remembered.drop(key);
    const decision = await inquire(handshake);
    if (!decision.ok) return decision;
    const { expiresAt = Number.POSITIVE_INFINITY } = decision.facts.identity ?? {};
    remembered.put(key, { decision, until: Math.min(expiresAt, Date.now() + maxAgeMs) });
    return decision;
  }
}
