import type { Refusal } from "../decision/decision.ts";
import { UnusableAnswer } from "../fetch/unusable-answer.ts";
import { claimOf, type Identity } from "../handshake/identity.ts";
import { bearerIdentity } from "./bearer-identity.ts";
import { invalidToken } from "./extract-token.ts";
import type { IntrospectionOptions } from "./introspection-options.ts";

/**
 * Who an answer of RFC 7662 §2.2 says is there, or why the token is refused.
 *
 * @throws {@link UnusableAnswer} for what is no such answer.
 */
export function introspectedIdentity(
  answer: unknown,
  options: IntrospectionOptions,
): Identity | Refusal {
  if (typeof answer !== "object" || answer === null) throw unusable();
  const claims = answer as Identity["claims"];
  const active = claimOf(claims, "active");
  if (active === false) return invalidToken("not active");
  if (active !== true) throw unusable();
  const wrong = wrongClaim((name) => claimOf(claims, name), options);
  if (wrong !== undefined) return invalidToken(wrong);
  const { subjectClaim = "sub" } = options;
  const subject = claimOf(claims, subjectClaim);
  return typeof subject === "string" && subject !== ""
    ? bearerIdentity(subject, claims, claimOf(claims, "exp") as number | undefined)
    : invalidToken(`no ${subjectClaim}`);
}

const unusable = (): UnusableAnswer =>
  new UnusableAnswer("The answer does not say whether the token is active.");

/** The issuer has looked at these too, but its clock and its word on whom the token is for are looked at here as everywhere. */
function wrongClaim(
  claim: (name: string) => unknown,
  options: IntrospectionOptions,
): string | undefined {
  const { issuer, insecureAllowMissingAudience, insecureAllowMissingExpiry } = options;
  const now = Date.now() / 1000;
  const tolerance = options.clockToleranceSeconds ?? 0;
  const [type, iss, aud, exp, nbf] = ["token_type", "iss", "aud", "exp", "nbf"].map(claim);
  // RFC 9449 §7.2, RFC 8705 §3: a token that is bound to a key proves nothing by itself.
  if (type !== undefined && !isBearer(type)) return "token_type";
  if (claim("cnf") !== undefined) return "cnf";
  if (issuer !== undefined && iss !== undefined && iss !== issuer) return "iss";
  if (!(aud === undefined ? insecureAllowMissingAudience : isFor(aud, options.audience))) {
    return "aud";
  }
  if (!(exp === undefined ? insecureAllowMissingExpiry : isTime(exp) && exp > now - tolerance)) {
    return "exp";
  }
  return nbf === undefined || (isTime(nbf) && nbf <= now + tolerance) ? undefined : "nbf";
}

const isBearer = (type: unknown): boolean =>
  typeof type === "string" && type.toLowerCase() === "bearer";

const isTime = (value: unknown): value is number => Number.isFinite(value);

function isFor(aud: unknown, audience: string | readonly string[]): boolean {
  const named: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  return (typeof audience === "string" ? [audience] : audience).some((name) =>
    named.includes(name),
  );
}
