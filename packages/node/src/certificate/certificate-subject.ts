import type { X509Certificate } from "node:crypto";
import { readAlternativeNames } from "./alternative-names.ts";
import { parseSpiffeId } from "./spiffe-id.ts";
import { thumbprintOf } from "./thumbprint.ts";

/** What of a certificate names its subject. */
export type CertificateSubject = "spiffe" | "san-dns" | "san-uri" | "san-email" | "thumbprint";

/** The subject's one name; undefined where the certificate has none of that kind, several, or one that is no plain name. */
export function subjectOf(
  certificate: X509Certificate,
  kind: CertificateSubject,
  trustDomains: readonly string[],
): string | undefined {
  switch (kind) {
    case "thumbprint":
      return thumbprintOf(certificate);
    case "san-dns":
      return onlyName(certificate, "DNS", isDnsName)?.toLowerCase();
    case "san-email":
      return onlyName(certificate, "email", isMailbox);
    case "san-uri":
      return onlyName(certificate, "URI", isUri);
    case "spiffe":
      return certificate.ca ? undefined : spiffeIdOf(certificate, trustDomains);
  }
}

/** An X.509-SVID has exactly one URI (X509-SVID §2). */
function spiffeIdOf(
  certificate: X509Certificate,
  trustDomains: readonly string[],
): string | undefined {
  const uri = onlyName(certificate, "URI", isUri);
  const id = uri === undefined ? undefined : parseSpiffeId(uri);
  return id !== undefined && trustDomains.includes(id.trustDomain) ? uri : undefined;
}

function onlyName(
  { subjectAltName }: X509Certificate,
  type: string,
  isPlain: (value: string) => boolean,
): string | undefined {
  // Absent where there is no such extension.
  const names = readAlternativeNames((subjectAltName as string | undefined) ?? "") ?? [];
  const [first, ...others] = names.filter((name) => name.type === type);
  return first !== undefined && others.length === 0 && isPlain(first.value)
    ? first.value
    : undefined;
}

/** Of one host: wildcards name many. */
const isDnsName = (text: string): boolean =>
  text.length <= 253 &&
  text
    .split(".")
    .every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));

const isMailbox = (text: string): boolean =>
  text.length <= 254 && /^[\x21-\x7e]+$/.test(text) && text.split("@").length === 2;

const isUri = (text: string): boolean =>
  text.length <= 2_048 && /^[a-z][a-z0-9+.-]*:[\x21-\x7e]+$/i.test(text);
