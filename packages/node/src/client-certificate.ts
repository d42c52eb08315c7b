import type { X509Certificate } from "node:crypto";
import {
  allowWith,
  type Check,
  ConfigError,
  type Decision,
  type Identity,
  type Refusal,
  refuse,
} from "@firmshake/core";
import {
  aFunction,
  aTextList,
  defineCheck,
  either,
  oneOf,
  ranks,
  readOptions,
} from "@firmshake/core/gate";
import { type CertificateSubject, subjectOf } from "./certificate/certificate-subject.ts";
import {
  aCertificateSource,
  type CertificateSource,
  presentedCertificate,
} from "./certificate/presented-certificate.ts";
import { isTrustDomain } from "./certificate/spiffe-id.ts";
import { thumbprintOf } from "./certificate/thumbprint.ts";

/** What {@link clientCertificate} takes. */
export interface ClientCertificateOptions {
  /**
   * What names the subject: the certificate's one SPIFFE ID, DNS name, URI or mail address, its thumbprint (RFC 8705 §3.1), or whatever a
   * function finds in it. A certificate with none or several of them is refused.
   */
  readonly subject: CertificateSubject | ((certificate: X509Certificate) => string | undefined);
  /** Whose SPIFFE IDs count; required with `spiffe`. */
  readonly trustDomains?: readonly string[];
  /** Where the certificate is looked for, and nowhere else. Default `socket`. */
  readonly from?: CertificateSource;
}

/**
 * Authenticates by the client's TLS certificate: on the socket, where the server's own authorities vouch for it (`requestCert` and `ca` of
 * the server), or in the `Client-Cert` header (RFC 9440) of one of the gate's trusted proxies, which vouches for it by sending it.
 *
 * Adds the fact `identity`, with the scheme `mtls` and the claims `thumbprint`, `serialNumber` and `issuer`. Whatever is wrong, the answer
 * is 401 `unauthorized`. Browsers present certificates whichever page asks: a guard with this check does not accept that origins are not
 * checked.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { clientCertificate, guard, origin } from "@firmshake/node";
 *
 * const mesh = guard(
 *   origin("same-origin", { allowMissing: true }), // programs send none
 *   clientCertificate({ subject: "spiffe", trustDomains: ["prod.example.com"] }),
 * );
 * ```
 */
export function clientCertificate(
  options: ClientCertificateOptions,
): Check<{ readonly identity: Identity }> {
  const { subject, trustDomains = [], from = "socket" } = readClientCertificateOptions(options);
  const kind = typeof subject === "function" ? "a function" : subject;
  const domains = trustDomains.length === 0 ? "" : ` of ${trustDomains.join(", ")}`;
  const nameOf =
    typeof subject === "function"
      ? subject
      : (certificate: X509Certificate) => subjectOf(certificate, subject, trustDomains);
  return defineCheck<{ readonly identity: Identity }>(
    {
      name: "clientCertificate",
      summary: `by ${kind}${domains}, from ${from}`,
      rank: ranks.token,
      credential: "ambient",
      givesIdentity: true,
    },
    (handshake) => {
      const presented = presentedCertificate(handshake, from);
      if ("missing" in presented) return unauthorized(presented.missing);
      if (from === "socket" && handshake.tls?.isClientAuthorized !== true) return unverified;
      return decide(presented.certificate, nameOf);
    },
  );
}

const unauthorized = (reason: string): Refusal =>
  refuse("unauthorized", undefined, { reason: `clientCertificate: ${reason}` });
const unverified = unauthorized("no authority of the server vouches for it");
const outdated = unauthorized("not valid at this time");
const nameless = unauthorized("not exactly one subject of that kind");

function decide(
  certificate: X509Certificate,
  nameOf: (certificate: X509Certificate) => unknown,
): Decision<{ readonly identity: Identity }> {
  // Connections, and the sessions that they resume, outlive certificates; and a proxy may not have looked.
  const expiresAt = Date.parse(certificate.validTo);
  const now = Date.now();
  if (!(Date.parse(certificate.validFrom) <= now && now < expiresAt)) return outdated;
  const subject = nameOf(certificate);
  if (typeof subject !== "string" || subject === "") return nameless;
  const { serialNumber, issuer } = certificate;
  const claims = Object.freeze({ thumbprint: thumbprintOf(certificate), serialNumber, issuer });
  return allowWith({ identity: Object.freeze({ subject, scheme: "mtls", claims, expiresAt }) });
}

function readClientCertificateOptions(options: ClientCertificateOptions): ClientCertificateOptions {
  const read = readOptions<ClientCertificateOptions>(
    "clientCertificate",
    options,
    {
      subject: either(oneOf("spiffe", "san-dns", "san-uri", "san-email", "thumbprint"), aFunction),
      trustDomains: aTextList,
      from: aCertificateSource,
    },
    ["subject"],
  );
  const { subject, trustDomains } = read;
  if (subject === "spiffe" && trustDomains === undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `clientCertificate: "trustDomains" is required with "spiffe"; give a list such as ["prod.example.com"].`,
    );
  }
  if (subject !== "spiffe" && trustDomains !== undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `clientCertificate: "trustDomains" goes with subject: "spiffe" alone.`,
    );
  }
  if (trustDomains?.every(isTrustDomain) === false) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `clientCertificate: "trustDomains" are names of a-z, 0-9, ".", "-" and "_", without "spiffe://".`,
    );
  }
  return read;
}
