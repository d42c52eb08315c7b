import { ConfigError } from "../config/config-error.ts";
import { allow, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import { claimOf } from "../handshake/identity.ts";
import { challenge } from "../tokens/challenge.ts";
import { bearerRefusals } from "../tokens/token-refusals.ts";

/** What a claim can be compared with. */
export type ClaimValue = string | number | boolean;

/** Says whether a claim is good. It is not asked where there is none. */
export type ClaimPredicate = (value: unknown) => boolean;

/**
 * Lets in whose identity has the claim, with this value, with one of these, or with one that the function takes. A claim that is a list,
 * as roles and groups are, must hold one of them. Values are compared exactly, text with text and number with number.
 *
 * Who lacks it is refused by 403 `insufficient_scope`. A function that throws, or does not answer `true` or `false`, refuses too.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for a value that no claim is compared with.
 *
 * @example
 * ```ts
 * import { guard, jwt, requireClaim } from "@firmshake/core";
 *
 * const support = guard(
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 *   requireClaim("email_verified", true),
 *   requireClaim("roles", ["agent", "admin"]),
 *   requireClaim("level", (level) => typeof level === "number" && level >= 3),
 * );
 * ```
 */
export function requireClaim(
  name: string,
  expected: ClaimValue | readonly ClaimValue[] | ClaimPredicate,
): Check {
  const { isGood, summary } = readExpected(name, expected);
  const insufficient = refuse("insufficient_scope", undefined, {
    headers: challenge("insufficient_scope"),
    reason: `claim ${name}`,
  });
  return defineCheck(
    { name: "requireClaim", summary, rank: ranks.identity, needsIdentity: true },
    ({ identity }) => {
      if (identity === undefined) return bearerRefusals.missing;
      const value = claimOf(identity.claims, name);
      return value !== undefined && isGood(value) ? allow : insufficient;
    },
  );
}

interface Expected {
  readonly isGood: ClaimPredicate;
  readonly summary: string;
}

function readExpected(name: unknown, expected: unknown): Expected {
  if (typeof name !== "string" || name === "") {
    throw invalid(`give the claim's name, such as requireClaim("roles", "admin")`);
  }
  if (typeof expected === "function") {
    return { isGood: asked(expected as ClaimPredicate), summary: `${name} by function` };
  }
  const values: readonly unknown[] = Array.isArray(expected) ? [...expected] : [expected];
  if (values.length === 0 || !values.every(isClaimValue)) {
    throw invalid(
      `"${name}" is compared with a text, a number, true, false, a list of these, or by a function`,
    );
  }
  const accepted: ReadonlySet<unknown> = new Set(values);
  return {
    isGood: (claim) =>
      Array.isArray(claim) ? claim.some((one: unknown) => accepted.has(one)) : accepted.has(claim),
    summary: `${name} ${values.map((value) => JSON.stringify(value)).join(" or ")}`,
  };
}

const isClaimValue = (value: unknown): value is ClaimValue =>
  (typeof value === "string" && value !== "") ||
  typeof value === "boolean" ||
  Number.isFinite(value);

/** A promise is truthy: an asynchronous predicate would let everybody in. */
const asked =
  (predicate: (value: unknown) => unknown): ClaimPredicate =>
  (value) => {
    const answer = predicate(value);
    if (typeof answer === "boolean") return answer;
    throw new TypeError("The function of requireClaim() must answer true or false.");
  };

const invalid = (advice: string): ConfigError =>
  new ConfigError("ERR_FIRMSHAKE_OPTION_INVALID", `requireClaim: ${advice}.`);
