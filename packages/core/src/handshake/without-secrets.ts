import type { Permit } from "../decision/permit.ts";
import { rewriteOf } from "./handshake.ts";

/** What of an accepted handshake may be used further. */
export interface SecretFree {
  /** The subprotocols left to answer with, in the client's order: those of {@link subprotocol} where it agreed, never one that holds a token. */
  readonly protocols: readonly string[];
  /** Path and query, without the tokens that {@link queryToken} read. */
  readonly target: string;
}

/**
 * The subprotocols and the target of an accepted handshake, less what is secret in them. Where a gate hands requests over it has rewritten
 * them so; a web-standard `Request` cannot be rewritten, and runtimes may answer with the first subprotocol that it offers.
 *
 * @example
 * ```ts
 * import { guard, handshakeFrom, jwt, origin, withoutSecrets } from "@firmshake/core";
 *
 * const token = { issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) };
 * const chat = guard(origin(["https://app.example.com"]), jwt(token));
 *
 * export async function protocolFor(request: Request): Promise<string | undefined> {
 *   const verdict = await chat.decide(handshakeFrom(request, { peerAddress: "203.0.113.7" }));
 *   return verdict.ok ? withoutSecrets(verdict.permit).protocols[0] : undefined;
 * }
 * ```
 */
export function withoutSecrets({ handshake }: Permit): SecretFree {
  const { protocols = handshake.protocols, target = handshake.target } = rewriteOf(handshake) ?? {};
  return Object.freeze({ protocols, target });
}
