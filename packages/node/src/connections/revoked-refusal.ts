import { type Permit, type Refusal, refuse } from "@firmshake/core";
import { invalidToken } from "@firmshake/core/gate";
import type { Registry } from "./registry.ts";

/**
 * Why handshakes are refused whose identity was revoked. To the client it is a token like any other that is no good (RFC 6750 §3.1): who
 * holds a stolen one is not told that it was found out.
 */
export function revokedIn(permits: readonly Permit[], registry: Registry): Refusal | undefined {
  for (const { handshake } of permits) {
    const { identity } = handshake;
    if (!registry.isRevoked(identity)) continue;
    return identity?.scheme === "bearer" ? revokedToken : revokedSession;
  }
  return undefined;
}

const reason = "revoked";
const revokedToken = invalidToken(reason);
const revokedSession = refuse("unauthorized", undefined, { reason });
