import { ConfigError } from "../config/config-error.ts";
import { allow, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { grantedTo } from "../handshake/identity.ts";
import { challenge } from "../tokens/challenge.ts";
import { bearerRefusals } from "../tokens/token-refusals.ts";

/**
 * Lets in who was granted every one of these scopes, compared letter by letter. They are read from the claims `scope` and `scp` of the
 * identity: one text with blanks between (RFC 6749 §3.3), or a list.
 *
 * Who lacks one is refused by 403 `insufficient_scope`, with the names of the scopes that are needed (RFC 6750 §3.1).
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for what cannot be a scope.
 *
 * @example
 * ```ts
 * import { guard, jwt, requireScope } from "@firmshake/core";
 *
 * const chat = guard(
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 *   requireScope("chat:read", "chat:write"),
 * );
 * ```
 */
export function requireScope(...scopes: readonly [string, ...string[]]): Check {
  if (scopes.length === 0 || !scopes.every(isScope)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `requireScope: write each scope as a text of its own, without blanks, such as requireScope("chat:read", "chat:write").`,
    );
  }
  const insufficient = refuse("insufficient_scope", undefined, {
    headers: challenge("insufficient_scope", scopes),
    reason: `needs ${scopes.join(" ")}`,
  });
  return defineCheck(
    {
      name: "requireScope",
      summary: scopes.join(", "),
      rank: ranks.identity,
      needsIdentity: true,
    },
    ({ identity }) => {
      if (identity === undefined) return bearerRefusals.missing;
      const granted = grantedTo(identity);
      return scopes.every((scope) => granted.includes(scope)) ? allow : insufficient;
    },
  );
}

/** `scope-token` of RFC 6749 §3.3: printable ASCII without the blank, the quotation mark and the backslash. */
const isScope = (scope: unknown): boolean =>
  typeof scope === "string" && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope);
