import { type JWTPayload, type JWTVerifyResult, jwtVerify } from "jose";
import { type Refusal, refuse } from "../decision/decision.ts";
import { claimOf, type Identity } from "../handshake/identity.ts";
import { bearerIdentity } from "./bearer-identity.ts";
import { boundThumbprint } from "./bound-thumbprint.ts";
import type { JwtOptions } from "./jwt-options.ts";
import { type KeySet, KeysUnavailable } from "./key-set.ts";
import type { TokenRefusals } from "./token-refusals.ts";

const keysUnavailable = ({ message, cause }: KeysUnavailable): Refusal =>
  refuse("keys_unavailable", undefined, {
    headers: [["Retry-After", "5"]],
    reason: message,
    cause,
  });

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
    profile,
    typ = profile === undefined ? undefined : "at+jwt",
    subjectClaim = "sub",
    insecureAllowMissingExpiry = false,
    insecureIgnoreConfirmation = false,
    certificateBound = false,
    dpop,
  } = options;
  const verifyOptions = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    algorithms: [...algorithms],
    clockTolerance: options.clockToleranceSeconds ?? 0,
    requiredClaims: [
      ...(insecureAllowMissingExpiry ? [] : ["exp"]),
      ...(profile === undefined ? [] : ["iat", ...accessTokenClaims]),
    ],
    ...(typ === undefined ? {} : { typ }),
  };
  const isLeft = insecureIgnoreConfirmation || certificateBound;
  return async (token) => {
    let result: JWTVerifyResult<JWTPayload>;
    try {
      result = await jwtVerify(token, keySet.find, verifyOptions);
    } catch (error) {
      return error instanceof KeysUnavailable
        ? keysUnavailable(error)
        : invalid(reasonOf(error), claimlessCause(error));
    }
    const { payload, protectedHeader } = result;
    if (typ === undefined && !isUsualType(protectedHeader.typ)) return invalid("typ");
    // JSON has numbers, such as 1e999, that are read as infinite: an end that never comes.
    if (payload.exp === Number.POSITIVE_INFINITY) return invalid("exp");
    if (outlives(payload, options.maxLifetimeSeconds)) return invalid("maxLifetimeSeconds");
    const missing = profile && accessTokenClaims.find((name) => !isText(payload[name]));
    if (missing !== undefined) return invalid(`RFC 9068 ${missing}`);
    if (dpop === undefined) {
      // A bound token in other hands is a stolen one (RFC 9449 §7.2); nothing here could tell the hands apart.
      if (Object.hasOwn(payload, "cnf") && !isLeft) return invalid("cnf");
    } else if (boundThumbprint(payload) === undefined) return invalid("cnf.jkt");
    const subject = claimOf(payload, subjectClaim);
    return isText(subject)
      ? bearerIdentity(subject, payload, payload.exp, dpop === undefined ? "bearer" : "dpop")
      : invalid(`no ${subjectClaim}`);
  };
}

/** The texts that RFC 9068 §2.2 asks for; `iat` is a number, and what else it asks for is asked of every token. */
const accessTokenClaims: readonly string[] = ["client_id", "jti", "sub"];

const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

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

/** jose's errors about claims carry all of them, and logs print what errors carry. The reason says which claim it was. */
const claimlessCause = (error: unknown): unknown =>
  "payload" in Object(error) ? undefined : error;

/** jose's codes hold nothing of the token. */
export function reasonOf(error: unknown): string {
  const { code, claim } = Object(error) as { readonly code?: unknown; readonly claim?: unknown };
  const detail = typeof claim === "string" && claim !== "unspecified" ? ` ${claim}` : "";
  return typeof code === "string" ? `${code}${detail}` : "not verified";
}
