import type { IncomingMessage } from "node:http";
import { ConfigError, type Handshake } from "@firmshake/core";
import { sourceOf } from "@firmshake/core/gate";

/**
 * The Node request of a handshake, with what middleware before the guard has put there: for checks that need a session, a
 * parsed cookie or a client certificate. For who is signed in, use {@link identity}, which knows that a session is a cookie.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_ATTACHED` for a handshake that no gate of a Node server made.
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
  const { request } = sourceOf(handshake);
  if (request === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_NOT_ATTACHED",
      "requestOf: this handshake does not come from a Node server. Use it in guards that attach(server, ...) asks.",
    );
  }
  return request as Request;
}
