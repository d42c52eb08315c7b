import { createHash, type X509Certificate } from "node:crypto";

/** `x5t#S256` (RFC 8705 §3.1): SHA-256 of the certificate in DER, in base64url without padding. */
export const thumbprintOf = (certificate: X509Certificate): string =>
  createHash("sha256").update(certificate.raw).digest("base64url");
