import { timingSafeEqual } from "node:crypto";
import { allow, type Check, type Handshake } from "@firmshake/core";
import { defineCheck, invalidToken, ranks, readOptions } from "@firmshake/core/gate";
import {
  aCertificateSource,
  type CertificateSource,
  presentedCertificate,
} from "./certificate/presented-certificate.ts";
import { thumbprintOf } from "./certificate/thumbprint.ts";

/** What {@link boundToCertificate} takes. */
export interface BoundToCertificateOptions {
  /** Where the certificate is looked for, and nowhere else. Default `socket`. */
  readonly from?: CertificateSource;
}

/**
 * Lets tokens in from the client alone that they were issued to (RFC 8705 §3): the claim `cnf` must hold the thumbprint `x5t#S256` of the
 * certificate that the client presents. A stolen token is then worth nothing. Stands behind `jwt` in the same guard.
 *
 * Nobody needs to vouch for the certificate: the client has proved in the TLS handshake that it holds the key. Everything else, a token
 * without `cnf` and a client without a certificate among it, gets 401 `token_invalid`.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for another place than the two; the guard throws
 * `ERR_FIRMSHAKE_IDENTITY_MISSING` where no check finds an identity.
 *
 * @example
 * ```ts
 * import { boundToCertificate, guard, jwt, origin } from "@firmshake/node";
 *
 * const payments = guard(
 *   origin(["https://app.example.com"], { allowMissing: true }),
 *   jwt({ issuer: "https://id.example.com", audience: "payments", certificateBound: true }),
 *   boundToCertificate(),
 * );
 * ```
 */
export function boundToCertificate(options: BoundToCertificateOptions = {}): Check {
  const { from = "socket" } = readOptions<BoundToCertificateOptions>(
    "boundToCertificate",
    options,
    { from: aCertificateSource },
  );
  return defineCheck(
    {
      name: "boundToCertificate",
      summary: `x5t#S256, from ${from}`,
      rank: ranks.identity,
      needsIdentity: true,
      comparesCertificate: true,
    },
    (handshake) => {
      const bound = confirmedThumbprint(handshake);
      if (bound === undefined) return unbound;
      const presented = presentedCertificate(handshake, from);
      if ("missing" in presented) return invalidToken(`boundToCertificate: ${presented.missing}`);
      return areEqual(bound, thumbprintOf(presented.certificate)) ? allow : others;
    },
  );
}

const unbound = invalidToken("boundToCertificate: the token has no cnf x5t#S256");
const others = invalidToken("boundToCertificate: bound to another certificate");

/** What the issuer says of the key (RFC 7800 §3.1, RFC 8705 §3.1). */
function confirmedThumbprint({ identity }: Handshake): string | undefined {
  const thumbprint = ownMember(ownMember(identity?.claims, "cnf"), "x5t#S256");
  return typeof thumbprint === "string" ? thumbprint : undefined;
}

const ownMember = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;

function areEqual(claimed: string, presented: string): boolean {
  const [left, right] = [Buffer.from(claimed), Buffer.from(presented)];
  return left.length === right.length && timingSafeEqual(left, right);
}
