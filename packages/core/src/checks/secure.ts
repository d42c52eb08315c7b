import { allow, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";

/**
 * Lets in `wss` alone: TLS on the socket, or a trusted proxy's word that the client spoke TLS to it (ASVS 5.0 4.4.1).
 *
 * @example
 * ```ts
 * import { guard, secure } from "@firmshake/core";
 *
 * const chat = guard(secure());
 * ```
 */
export function secure(): Check {
  return defineCheck({ name: "secure", summary: "wss only", rank: ranks.transport }, (handshake) =>
    handshake.scheme === "wss" ? allow : denied,
  );
}

const denied = refuse("tls_required");
