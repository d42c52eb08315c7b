import type { IncomingMessage } from "node:http";
import { ConfigError, type Handshake } from "@firmshake/core";

const requests = new WeakMap<Handshake, IncomingMessage>();

/** Keeps the request with its handshake for as long as checks run. */
export function rememberRequest(handshake: Handshake, request: IncomingMessage): void {
  requests.set(handshake, request);
}

/** A handshake lives as long as its connection; the request, which is larger, need not. */
export function forgetRequest(handshake: Handshake): void {
  requests.delete(handshake);
}

/**
 * The request of a handshake that is being decided, with what middleware before the guard has put there: for checks that need a session, a
 * parsed cookie or a client certificate. For who is signed in, use {@link identity}, which knows that a session is a cookie.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that no gate holds at the moment.
 *
 * @example
 * ```ts
 * import { allow, guard, origin, refuse, requestOf } from "@firmshake/node";
 *
 * const tablets = guard(origin("same-origin"), (handshake) =>
 *   requestOf(handshake).headers["sec-ch-ua-mobile"] === "?1" ? allow : refuse("forbidden"),
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
      "requestOf: no gate holds this handshake at the moment. Use it inside of a check, and call attach(server, ...).",
    );
  }
  return request as Request;
}
