import { ConfigError } from "../config/config-error.ts";
import { type Check, defineCheck, infoOf } from "./check.ts";

/**
 * Gives a check of your own the name by which trails and `explain()` call it.
 *
 * @example
 * ```ts
 * import { allow, guard, named, refuse } from "@firmshake/core";
 *
 * const invited = named("invited", (handshake) =>
 *   handshake.identity?.claims.invited === true ? allow : refuse("forbidden", "Not invited."),
 * );
 * const chat = guard(invited);
 * ```
 */
export function named<Facts extends object>(name: string, check: Check<Facts>): Check<Facts> {
  if (typeof name !== "string" || name === "" || typeof check !== "function") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_CHECK_INVALID",
      `named: write named("invited", (handshake) => allow).`,
    );
  }
  // What is known of the check stays known: a name must not hide a cookie from the posture rules.
  return defineCheck({ ...infoOf(check), name }, (handshake) => check(handshake));
}
