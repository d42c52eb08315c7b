import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Answer,
  answerOf,
  bearerToken,
  ConfigError,
  guard,
  type HeaderLine,
  type OriginResolver,
  origin,
  type ProxyTrust,
  type RateLimitOptions,
  type Refusal,
  rateLimit,
  refuse,
  type TrustedProxiesOptions,
  trustedProxies,
} from "@firmshake/core";
import { anything, extractToken, readOptions } from "@firmshake/core/gate";
import { asksBefore, corsHeaders, onlyPost, page, send, targetOf } from "../http-answers.ts";
import { postHandshake } from "../node-handshake.ts";
import { guardedById } from "./guarded-socket.ts";
import type { Renew, Renewed } from "./renewal.ts";

/** What a route for renewals is told. */
export interface RenewalRouteOptions {
  /** Whose pages may ask, as for the check `origin`. Other programs, which send no origin, may. Default `same-origin`. */
  readonly origins?: readonly string[] | "same-origin" | OriginResolver;
  /** How many requests an address may send. Default 60 in 60 seconds, counted in this process's memory. */
  readonly rate?: Pick<RateLimitOptions, "limit" | "windowMs" | "store" | "name">;
  /** Which peers' forwarding headers count: the same as the gate is told. Default: nobody's. */
  readonly trustProxy?: ProxyTrust | TrustedProxiesOptions | readonly string[];
}

const idHeader = "Firmshake-Connection";
const allowedHeaders = "authorization, firmshake-connection";
const timeoutMs = 5_000;
const maxTokenBytes = 8_192;

/**
 * Makes the answers to requests for renewals, for frameworks in which a handler hands its answer back. Never rejects.
 *
 * @throws {@link ConfigError} for options that are not as described.
 * @see {@link renewalRoute} for the rules
 *
 * @example
 * ```ts
 * import { renewal, renewalAnswers, tokenVerifier } from "@firmshake/fastify";
 * import fastify from "fastify";
 *
 * const verify = tokenVerifier({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) });
 * const answerTo = renewalAnswers(renewal({ verify }));
 * fastify().post("/renew", async (request, reply) => {
 *   const { status, headers, body } = await answerTo(request.raw);
 *   return reply.code(status).headers(Object.fromEntries(headers)).send(body);
 * });
 * ```
 */
export function renewalAnswers(
  renew: Renew,
  options: RenewalRouteOptions = {},
): (request: IncomingMessage) => Promise<Answer> {
  if (typeof renew !== "function") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "renewalRoute: give what renewal(...) has made.",
    );
  }
  const {
    origins = "same-origin",
    rate,
    trustProxy,
  } = readOptions<RenewalRouteOptions>("renewalRoute", options, {
    origins: anything,
    rate: anything,
    trustProxy: anything,
  });
  const trust = trustProxy === undefined ? undefined : trustedProxies(trustProxy);
  const limited = rateLimit({ limit: 60, windowMs: 60_000, name: "renewals", ...rate });
  const forPreflight = guard({ checks: [origin(origins), page] });
  const forPages = guard({ checks: [origin(origins), page, limited] });
  const forOthers = guard({ checks: [origin(origins, { allowMissing: true }), limited] });

  return async (request) => {
    const isPreflight = asksBefore(request);
    if (request.method !== "POST" && !isPreflight) return onlyPost;
    const handshake = postHandshake(
      request,
      targetOf(request),
      () => AbortSignal.timeout(timeoutMs),
      trust,
    );
    const forThese = "origin" in request.headers ? forPages : forOthers;
    const verdict = await (isPreflight ? forPreflight : forThese).decide(handshake);
    const { page: from } = handshake.facts as { readonly page?: string };
    const withHeaders = (answer: Answer): Answer => ({
      ...answer,
      headers: [...answer.headers, ...corsHeaders(from, isPreflight ? allowedHeaders : undefined)],
    });
    if (!verdict.ok) return withHeaders(answerOf(verdict.refusal));
    if (isPreflight) return withHeaders({ status: 204, headers: [], body: "" });
    const token = extractToken(handshake, [bearerToken()], maxTokenBytes);
    if (typeof token !== "string") return withHeaders(answerOf(token));
    const guarded = guardedById(handshake.headers.only(idHeader.toLowerCase()) ?? "");
    if (guarded === undefined) return withHeaders(answerOf(unknown));
    return withHeaders(answerWith(await renew(guarded.view, token)));
  };
}

const unknown: Refusal = refuse("forbidden", "No such connection is open here.");
const noStore: HeaderLine = ["Cache-Control", "no-store"];

function answerWith(renewed: Renewed): Answer {
  if (!renewed.ok) return answerOf(renewed.refusal);
  const { expiresAt } = renewed;
  return {
    status: 200,
    headers: [["Content-Type", "application/json"], noStore],
    body: JSON.stringify({ expiresInMs: expiresAt === undefined ? null : expiresAt - Date.now() }),
  };
}

/**
 * The handler of a route that prolongs open connections, for clients that get new tokens by HTTP: for `createServer`, and for Express. Mount it
 * for all methods of its path.
 *
 * - A request is `POST` with `Authorization: Bearer <the new token>` and `Firmshake-Connection: <id>`: the connection's `id`, which the
 *   application has told its client. It is answered with `{ "expiresInMs": 300000 }`, `null` where the token does not expire.
 * - Who the token is for has to be who opened the connection. The id alone is worth nothing.
 * - The connection is looked for in this process: where there are several, renew by a message of your protocol instead.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import express from "express";
 * import { renewal, renewalRoute, tokenVerifier } from "@firmshake/express";
 *
 * const verify = tokenVerifier({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) });
 * express().all("/renew", renewalRoute(renewal({ verify })));
 * ```
 */
export function renewalRoute(
  renew: Renew,
  options: RenewalRouteOptions = {},
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const answerTo = renewalAnswers(renew, options);
  return async (request, response) => send(response, await answerTo(request));
}
