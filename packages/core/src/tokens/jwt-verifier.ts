import { type JWTPayload, type JWTVerifyResult, jwtVerify } from "jose";
import { type Refusal, refuse } from "../decision/decision.ts";
import type { Identity } from "../handshake/identity.ts";
import { boundThumbprint } from "./bound-thumbprint.ts";
import type { JwtOptions } from "./jwt-options.ts";
import { type KeySet, KeysUnavailable } from "./key-set.ts";
import type { TokenRefusals } from "./token-refusals.ts";

const keysUnavailable = refuse("keys_unavailable", undefined, { headers: [["Retry-After", "5"]] });

/**
 * Verifies tokens by the rules of RFC 8725. Answers with who is authenticated or with why not; never rejects for what a token holds.
 */
export function jwtVerifier(
  options: JwtOptions,
  algorithms: readonly string[],
  keySet: KeySet,
  { invalid }: TokenRefusals,
): (token: string) => Promise<Identity | Refusal> {
  const {
    issuer,
    audience,
    typ,
    subjectClaim = "sub",
    insecureAllowMissingExpiry = false,
    insecureIgnoreConfirmation = false,
    dpop,
  } = options;
  const verifyOptions = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    algorithms: [...algorithms],
    clockTolerance: options.clockToleranceSeconds ?? 0,
    requiredClaims: insecureAllowMissingExpiry ? [] : ["exp"],
    ...(typ === undefined ? {} : { typ }),
  };
  return async (token) => {
    let result: JWTVerifyResult<JWTPayload>;
    try {
      result = await jwtVerify(token, keySet.find, verifyOptions);
    } catch (error) {
      return error instanceof KeysUnavailable ? keysUnavailable : invalid(reasonOf(error), error);
    }
    const { payload, protectedHeader } = result;
    if (typ === undefined && !isUsualType(protectedHeader.typ)) return invalid("typ");
    // JSON has numbers, such as 1e999, that are read as infinite: an end that never comes.
    if (payload.exp === Number.POSITIVE_INFINITY) return invalid("exp");
    if (outlives(payload, options.maxLifetimeSeconds)) return invalid("maxLifetimeSeconds");
    if (dpop === undefined) {
      // A bound token in other hands is a stolen one (RFC 9449 §7.2); nothing here could tell the hands apart.
      if (Object.hasOwn(payload, "cnf") && !insecureIgnoreConfirmation) return invalid("cnf");
    } else if (boundThumbprint(payload) === undefined) return invalid("cnf.jkt");
    const subject = Object.hasOwn(payload, subjectClaim) ? payload[subjectClaim] : undefined;
    return typeof subject === "string" && subject !== ""
      ? identityOf(subject, dpop === undefined ? "bearer" : "dpop", payload)
      : invalid(`no ${subjectClaim}`);
  };
}

function identityOf(subject: string, scheme: string, payload: JWTPayload): Identity {
  const expiresAt = payload.exp === undefined ? undefined : payload.exp * 1000;
  return Object.freeze({ subject, scheme, claims: deepFrozen(payload), expiresAt });
}

/** Identities are remembered and shared: whoever could change a claim would change it for every connection of the token. */
function deepFrozen<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) deepFrozen(inner);
  }
  return Object.freeze(value);
}

/** Other types are made for other readers: DPoP proofs, logout tokens, security events (RFC 8725 §2.8). */
function isUsualType(typ: unknown): boolean {
  if (typ === undefined) return true;
  const name = typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : "";
  return name === "jwt" || name === "at+jwt";
}

function outlives({ exp }: JWTPayload, maxLifetimeSeconds: number | undefined): boolean {
  if (maxLifetimeSeconds === undefined) return false;
  return exp === undefined || exp - Date.now() / 1000 > maxLifetimeSeconds;
}

/** jose's codes hold nothing of the token. */
export function reasonOf(error: unknown): string {
  const { code, claim } = Object(error) as { readonly code?: unknown; readonly claim?: unknown };
  const detail = typeof claim === "string" && claim !== "unspecified" ? ` ${claim}` : "";
  return typeof code === "string" ? `${code}${detail}` : "not verified";
}
