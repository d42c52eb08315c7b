import type { IncomingMessage } from "node:http";
import { ConfigError, type Handshake } from "@firmshake/node";

const requests = new WeakMap<Handshake, IncomingMessage>();

/** Keeps the request with its handshake for as long as that lives. */
export function rememberRequest(handshake: Handshake, request: IncomingMessage): void {
  requests.set(handshake, request);
}

/**
 * The Express request of a handshake, with what the middleware before the guard has put there: for checks that need a session or a
 * parsed cookie. For who is signed in, use {@link identity}, which knows that a session is a cookie.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that does not walk through an Express app.
 *
 * @example
 * ```ts
 * import type { Request } from "express";
 * import { allow, guard, origin, refuse, requestOf } from "@firmshake/express";
 *
 * const beta = guard(origin("same-origin"), (handshake) =>
 *   requestOf<Request>(handshake).app.enabled("beta") ? allow : refuse("forbidden"),
 * );
 * ```
 */
export function requestOf<Request extends IncomingMessage = IncomingMessage>(
  handshake: Handshake,
): Request {
  const request = requests.get(handshake);
  if (request === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_ATTACHED",
      "requestOf: this handshake does not walk through an Express app. Call attach(server, app) of @firmshake/express.",
    );
  }
  return request as Request;
}
