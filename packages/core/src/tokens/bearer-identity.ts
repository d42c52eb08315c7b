import type { Identity } from "../handshake/identity.ts";
import { deepFrozen } from "../parse/deep-frozen.ts";

/** Who a token stands for. The claims are frozen, to the depth. */
export function bearerIdentity(
  subject: string,
  claims: Identity["claims"],
  expSeconds: number | undefined,
  scheme: "bearer" | "dpop" = "bearer",
): Identity {
  const expiresAt = expSeconds === undefined ? undefined : expSeconds * 1000;
  return Object.freeze({ subject, scheme, claims: deepFrozen(claims), expiresAt });
}
