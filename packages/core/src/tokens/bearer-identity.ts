import type { Identity } from "../handshake/identity.ts";

/** Who a bearer token stands for. The claims are frozen, to the depth. */
export function bearerIdentity(
  subject: string,
  claims: Identity["claims"],
  expSeconds: number | undefined,
): Identity {
  const expiresAt = expSeconds === undefined ? undefined : expSeconds * 1000;
  return Object.freeze({ subject, scheme: "bearer", claims: deepFrozen(claims), expiresAt });
}

/** Identities are remembered and shared: whoever could change a claim would change it for every connection of the token. */
function deepFrozen<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) deepFrozen(inner);
  }
  return Object.freeze(value);
}
