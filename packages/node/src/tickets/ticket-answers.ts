import type { IncomingMessage } from "node:http";
import {
  type Answer,
  type AnyCheck,
  allowWith,
  answerOf,
  type Check,
  ConfigError,
  guard,
  type Handshake,
  type HeaderLine,
  type IssuedTicket,
  type MaybePromise,
  type OriginResolver,
  origin,
  type ProxyTrust,
  type RateLimitOptions,
  rateLimit,
  refuse,
  type Tickets,
  type TrustedProxiesOptions,
  trustedProxies,
} from "@firmshake/core";
import {
  aFunction,
  anything,
  boundThumbprint,
  defineCheck,
  isRefusal,
  ranks,
  readOptions,
  readTicketPath,
} from "@firmshake/core/gate";
import { asksBefore, corsHeaders, onlyPost, page, targetOf } from "../http-answers.ts";
import { identityBy, type SignedIn } from "../identity.ts";
import { postHandshake } from "../node-handshake.ts";
import { reportTicket, type TicketEvent } from "./ticket-event.ts";

/** What a route for tickets is told. */
export interface TicketRouteOptions<Source> {
  /** Who is signed in, as for the check `identity`. Undefined, null and false are answered with 401. This or `by` is required. */
  readonly identity?: (source: Source) => MaybePromise<SignedIn | undefined | null | false>;
  /**
   * Checks that decide on the request for a ticket as they would on a handshake, one of which finds out who asks: `jwt({ … })`, with `dpop`
   * too. A proof is then for this `POST` and its URL, as the client wrote it.
   */
  readonly by?: readonly AnyCheck[];
  /** What the ticket opens: a path, several, or a function that says so for each request. Whether the user may is for that to say. */
  readonly path: string | readonly string[] | ((source: Source) => string | readonly string[]);
  /** Whose pages may ask, as for the check `origin`. Tickets are bound to the origin that asked. Default `same-origin`. */
  readonly origins?: readonly string[] | "same-origin" | OriginResolver;
  /** How many tickets a subject may ask for. Default 30 in 60 seconds, counted in this process's memory. */
  readonly rate?: Pick<RateLimitOptions, "limit" | "windowMs" | "store" | "name">;
  /** Which peers' forwarding headers count: the same as the gate is told. Default: nobody's. */
  readonly trustProxy?: ProxyTrust | TrustedProxiesOptions | readonly string[];
  /** Is told what became of each request. What it throws, or rejects with, is dropped. */
  readonly onDecision?: (event: TicketEvent) => unknown;
}

/** The origin of the page that asks, and its ticket. */
interface TicketFacts {
  readonly page?: string;
  readonly issued?: IssuedTicket;
}

/**
 * Makes the answers to requests for tickets, for frameworks in which a handler hands its answer back. Never rejects.
 *
 * @throws {@link ConfigError} for options that are not as described.
 * @see {@link ticketRoute} for the rules
 *
 * @example
 * ```ts
 * import { ticketAnswers, tickets } from "@firmshake/fastify";
 * import fastify, { type FastifyRequest } from "fastify";
 *
 * const entry = tickets();
 * const answerTo = ticketAnswers(entry, {
 *   identity: (request: FastifyRequest) => ({ subject: request.id }),
 *   path: "/chat",
 * });
 * fastify().post("/ticket", async (request, reply) => {
 *   const { status, headers, body } = await answerTo(request.raw, request);
 *   return reply.code(status).headers(Object.fromEntries(headers)).send(body);
 * });
 * ```
 */
export function ticketAnswers<Source extends object>(
  entry: Tickets,
  options: TicketRouteOptions<Source>,
): (request: IncomingMessage, source: Source) => Promise<Answer> {
  const read = readTicketRouteOptions(entry, options);
  const { path, origins = "same-origin", rate, trustProxy, onDecision } = read;
  const trust = trustProxy === undefined ? undefined : trustedProxies(trustProxy);
  const sources = new WeakMap<Handshake, Source>();
  const sourceOf = (handshake: Handshake): Source => sources.get(handshake) as Source;
  const pathFor = typeof path === "function" ? path : () => path;
  const pages = [origin(origins), page];
  const forPreflight = guard({ checks: pages });
  const forTicket = guard({
    checks: [
      ...pages,
      ...(read.by ?? [identityBy(sourceOf, read.identity as WhoIs<Source>, "request.user")]),
      rateLimit({ limit: 30, windowMs: 60_000, name: "tickets", ...rate, key: "identity" }),
      issuing(entry, (handshake) => pathFor(sourceOf(handshake))),
    ],
  });
  return async (request, source) => {
    const isPreflight = asksBefore(request);
    if (request.method !== "POST" && !isPreflight) return onlyPost;
    // A preflight is decided on as what it asks for.
    const target = targetOf(source) ?? targetOf(request);
    const signal = (): AbortSignal => AbortSignal.timeout(timeoutMs);
    const handshake = postHandshake(request, target, signal, trust);
    sources.set(handshake, source);
    const verdict = await (isPreflight ? forPreflight : forTicket).decide(handshake);
    if (!isPreflight) reportTicket(onDecision, handshake, verdict);
    const { page: from, issued } = handshake.facts as TicketFacts;
    const answer = verdict.ok ? answerWith(issued) : answerOf(verdict.refusal);
    const cors = corsHeaders(from, isPreflight ? allowedHeaders : undefined);
    return { ...answer, headers: [...oneLineEach(answer.headers), ...cors] };
  };
}

type WhoIs<Source> = NonNullable<TicketRouteOptions<Source>["identity"]>;

const timeoutMs = 5_000;
const allowedHeaders = "authorization, content-type, dpop";

/** Challenges of several schemes may be a list (RFC 9110 §11.6.1), which survives being kept by name. */
const oneLineEach = (lines: readonly HeaderLine[]): readonly HeaderLine[] => {
  const byName = new Map<string, string>();
  for (const [name, value] of lines) {
    const before = byName.get(name);
    byName.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return [...byName];
};

const sessionEnded = refuse("unauthorized", undefined, { reason: "the session has ended" });
const unknownAddress = refuse("address_unknown");
const unboundToKey = refuse("unauthorized", undefined, {
  reason: "the tickets are for keys, and who asks is bound to none",
});
const storeFailed = (cause: unknown): ReturnType<typeof refuse> =>
  refuse("tickets_unavailable", undefined, { cause, headers: [["Retry-After", "5"]] });

/** The last check, so that whatever goes wrong in it refuses as in any other. */
function issuing(
  entry: Tickets,
  pathFor: (handshake: Handshake) => string | readonly string[],
): Check<{ readonly issued: IssuedTicket }> {
  return defineCheck(
    { name: "issue", summary: "", rank: ranks.identity, needsIdentity: true },
    async (handshake) => {
      const { identity, clientAddress: address } = handshake;
      if (identity === undefined) return sessionEnded;
      const { subject, claims, expiresAt } = identity;
      if (expiresAt !== undefined && !(Date.now() < expiresAt)) return sessionEnded;
      if (entry.bindAddress && address === undefined) return unknownAddress;
      const path = pathFor(handshake);
      const { page: from } = handshake.facts as TicketFacts;
      const thumbprint = boundThumbprint(claims);
      if (entry.bindKey && thumbprint === undefined) return unboundToKey;
      const issued = await entry
        .issue({ subject, claims, path, origin: from, address, thumbprint, expiresAt })
        .catch((cause: unknown) => {
          if (cause instanceof ConfigError) throw cause;
          return storeFailed(cause);
        });
      return isRefusal(issued) ? issued : allowWith({ issued });
    },
  );
}

function answerWith(issued: IssuedTicket | undefined): Answer {
  if (issued === undefined) return { status: 204, headers: [], body: "" };
  const { ticket, expiresAt } = issued;
  return {
    status: 200,
    headers: [
      ["Content-Type", "application/json"],
      ["Cache-Control", "no-store"],
    ],
    body: JSON.stringify({ ticket, expiresInMs: expiresAt - Date.now() }),
  };
}

const isCheckList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "function");

function readTicketRouteOptions<Source>(
  entry: Tickets,
  options: TicketRouteOptions<Source>,
): TicketRouteOptions<Source> {
  if (typeof (entry as Partial<Tickets> | null | undefined)?.issue !== "function") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "ticketRoute: give what tickets(...) has made, the same that the guard has as its check.",
    );
  }
  const read = readOptions<TicketRouteOptions<Source>>(
    "ticketRoute",
    options,
    {
      identity: aFunction,
      by: { expected: "a non-empty list of checks", accepts: isCheckList },
      path: anything,
      origins: anything,
      rate: anything,
      trustProxy: anything,
      onDecision: aFunction,
    },
    ["path"],
  );
  if ((read.identity === undefined) === (read.by === undefined)) {
    throw new ConfigError(
      read.by === undefined ? "ERR_FIRMSHAKE_OPTION_MISSING" : "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `ticketRoute: give either "identity", a function that says who is signed in, or "by", a list of checks such as jwt({...}).`,
    );
  }
  if (typeof read.path !== "function") readTicketPath("ticketRoute", read.path);
  return read;
}
