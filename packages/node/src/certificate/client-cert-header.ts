import { X509Certificate } from "node:crypto";
import { trimBlanks } from "@firmshake/core/gate";

/**
 * The certificate in a `Client-Cert` header (RFC 9440 §2.2): a Byte Sequence, `:base64:` (RFC 9651 §3.3.5), of DER and nothing else.
 * Undefined where it is not that.
 */
export function readClientCert(value: string): X509Certificate | undefined {
  const text = trimBlanks(value);
  if (text.length < 3 || !text.startsWith(":") || !text.endsWith(":")) return undefined;
  const encoded = text.slice(1, -1);
  const bytes = Buffer.from(encoded, "base64");
  // Node reads base64 leniently, PEM in the place of DER, and DER with something behind it.
  if (bytes.toString("base64") !== encoded) return undefined;
  try {
    const certificate = new X509Certificate(bytes);
    return certificate.raw.equals(bytes) ? certificate : undefined;
  } catch {
    return undefined;
  }
}
