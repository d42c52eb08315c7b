import type { Check, Handshake, Identity } from "@firmshake/node";
import { type Contexts, identityBy, makeContexts } from "@firmshake/node/adapter";
import type { FastifyRequest } from "fastify";

export const requests: Contexts<FastifyRequest> = makeContexts("requestOf");

/**
 * Fastify's request of a handshake, with what hooks before the policy have put there: for checks that need a session or a user.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that did not come through Fastify.
 */
export const requestOf = (handshake: Handshake): FastifyRequest => requests.of(handshake);

/**
 * Authenticates by what the hooks before the policy found out: a session, `request.user`. Undefined, null and false refuse with 401. Adds
 * the fact `identity`, with the scheme `session`, and insists on an origin check beside it, since sessions are cookies.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_CHECK_INVALID` for what is no function.
 *
 * @example
 * ```ts
 * import { guard, identity, origin } from "@firmshake/fastify";
 *
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   identity((request) => "user" in request && { subject: String(request.user) }),
 * );
 * ```
 */
export const identity = (
  read: Parameters<typeof identityBy<FastifyRequest>>[1],
): Check<{ readonly identity: Identity }> => identityBy(requestOf, read, "request.user");
