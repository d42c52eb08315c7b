/** A SPIFFE ID in its parts. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** With its slash in front. */
  readonly path: string;
}

const scheme = "spiffe://";
const maxLength = 2_048;
const maxTrustDomainLength = 255;

/**
 * Reads the SPIFFE ID of a workload, by the letter of the SPIFFE ID specification §2: `spiffe://trust-domain/path`, no user, port, query,
 * fragment or percent-encoding, no empty segment, no dots alone. Undefined for whatever else it is, an ID without a path among it, which
 * only signing certificates have (X509-SVID §3.1).
 */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (text.length > maxLength || !text.startsWith(scheme)) return undefined;
  const [trustDomain = "", ...segments] = text.slice(scheme.length).split("/");
  if (!isTrustDomain(trustDomain) || segments.length === 0) return undefined;
  return segments.every(isSegment) ? { trustDomain, path: `/${segments.join("/")}` } : undefined;
}

export const isTrustDomain = (text: string): boolean =>
  text.length <= maxTrustDomainLength && /^[a-z0-9._-]+$/.test(text);

const isSegment = (text: string): boolean =>
  /^[A-Za-z0-9._-]+$/.test(text) && text !== "." && text !== "..";
