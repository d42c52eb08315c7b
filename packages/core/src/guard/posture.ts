import { loopbackHost } from "../checks/loopback-host.ts";
import { insecureAnyOrigin, origin } from "../checks/origin.ts";
import { ConfigError } from "../config/config-error.ts";
import { type AnyCheck, type CheckInfo, infoOf } from "./check.ts";

/**
 * Completes a guard's list with what is safe by default and puts it in order of cost.
 *
 * - Without any word on origins, pages of the same origin alone may connect.
 * - Where the origin is not compared with a list, a server on loopback answers to loopback names alone (DNS rebinding).
 *
 * @throws {@link ConfigError} where the list contradicts itself or is dangerous.
 */
export function completeChecks(
  checks: readonly AnyCheck[],
  order: "cost" | "written",
): readonly AnyCheck[] {
  const withOrigin = checks.some(coversOrigin) ? checks : [origin("same-origin"), ...checks];
  const complete = needsLoopbackRule(withOrigin) ? [loopbackHost(), ...withOrigin] : withOrigin;
  refuseOpenCookies(complete);
  refuseUncomparedCertificates(complete);
  const ordered = order === "cost" ? inOrderOfCost(complete) : complete;
  refuseMissingIdentity(ordered);
  return ordered;
}

/** Whether each way through the check has a word on the origin, or on a credential that no foreign page can have. */
function coversOrigin(check: AnyCheck): boolean {
  const info = infoOf(check);
  const parts = info.parts ?? [];
  if (info.origin !== undefined) return true;
  if (info.composes === "all") return parts.some(coversOrigin);
  if (info.composes === "when") return parts.length === 2 && parts.every(coversOrigin);
  if (info.composes !== "any") return false;
  return (
    parts.some(coversOrigin) &&
    parts.every((part) => coversOrigin(part) || hasExplicitCredential(part))
  );
}

/** Whether each way through the check compares Host with a list. */
function namesHosts(check: AnyCheck): boolean {
  const { namesHosts: isOne, composes, parts = [] } = infoOf(check);
  if (isOne) return true;
  if (composes === "all") return parts.some(namesHosts);
  if (composes === "when") return parts.length === 2 && parts.every(namesHosts);
  return composes === "any" && parts.every(namesHosts);
}

function hasExplicitCredential(check: AnyCheck): boolean {
  const { composes, credential, parts = [] } = infoOf(check);
  return credential === "explicit" || (composes === "all" && parts.some(hasExplicitCredential));
}

/** What is known of the checks and of all their parts. */
export const everyInfo = (checks: readonly AnyCheck[]): readonly CheckInfo[] =>
  checks.flatMap((check) => {
    const info = infoOf(check);
    return [info, ...everyInfo(info.parts ?? [])];
  });

/** A listed origin cannot be rebound: its page's name would have to be on the list. */
function needsLoopbackRule(checks: readonly AnyCheck[]): boolean {
  const infos = everyInfo(checks);
  if (checks.some(namesHosts)) return false;
  return infos.some((info) => info.origin !== undefined && !info.origin.isListed);
}

/** Browsers attach cookies to handshakes of every page; only the origin tells whose page it was (CWE-1385). */
function refuseOpenCookies(checks: readonly AnyCheck[]): void {
  const infos = everyInfo(checks);
  if (!infos.some((info) => info.credential === "ambient")) return;
  if (!infos.some((info) => info.origin?.isOff || info.origin?.allowsNull)) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    `guard: browsers send cookies whichever page asks, so a cookie proves nothing beside ${insecureAnyOrigin.name}() or insecureAllowNull. Write origin([...]) with the pages that may connect.`,
  );
}

/** In a branch of `any` or `when` it might be passed by. */
const comparesCertificates = (check: AnyCheck): boolean => {
  const { comparesCertificate, composes, parts = [] } = infoOf(check);
  return comparesCertificate === true || (composes === "all" && parts.some(comparesCertificates));
};

const areUncompared = (checks: readonly AnyCheck[]): boolean =>
  checks.some(leavesCertificates) && !checks.some(comparesCertificates);

function leavesCertificates(check: AnyCheck): boolean {
  const { needsCertificate, composes, parts = [] } = infoOf(check);
  if (needsCertificate === true) return true;
  return composes === "all" ? areUncompared(parts) : parts.some(leavesCertificates);
}

function refuseUncomparedCertificates(checks: readonly AnyCheck[]): void {
  if (!areUncompared(checks)) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    `guard: jwt takes tokens that are bound to a certificate ("certificateBound"), and nothing compares the certificates. Add boundToCertificate() to the same guard.`,
  );
}

/**
 * Stable: what has no rank of its own stays behind what was written before it. What only reads the identity goes behind what finds it.
 */
function inOrderOfCost(checks: readonly AnyCheck[]): readonly AnyCheck[] {
  let reached = 0;
  const ranked = checks.map((check) => {
    const rank = infoOf(check).rank ?? reached;
    reached = Math.max(reached, rank);
    return { check, rank };
  });
  return ranked.sort((left, right) => left.rank - right.rank).map(({ check }) => check);
}

function refuseMissingIdentity(checks: readonly AnyCheck[]): void {
  let isKnown = false;
  for (const info of everyInfo(checks)) {
    if (info.needsIdentity && !isKnown) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_IDENTITY_MISSING",
        `guard: ${info.name} goes by identity, and no check before it finds one. Add jwt({...}) to the same guard; a rate limit may go by key: "address" instead.`,
      );
    }
    isKnown ||=
      info.givesIdentity === true || (info.composes === undefined && info.rank === undefined);
  }
}
