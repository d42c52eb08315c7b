import { X509Certificate } from "node:crypto";
import { generate } from "selfsigned";

/** A private key and its certificate, as TLS takes them. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

/** Everything that TLS needs here, made anew at each start. */
export interface Certificates {
  /** The TLS listener's own. */
  readonly server: KeyAndCertificate;
  /** Whose clients may come. */
  readonly authority: string;
  /** Signed by the authority. */
  readonly billing: KeyAndCertificate;
  readonly reports: KeyAndCertificate;
  /** The same name as {@link billing}, signed by an authority that nobody here has heard of. */
  readonly stranger: KeyAndCertificate;
}

export async function createCertificates(): Promise<Certificates> {
  const [own, other, server] = await Promise.all([
    makeAuthority("Playground authority"),
    makeAuthority("Another authority"),
    makeServer(),
  ]);
  const [billing, reports, stranger] = await Promise.all([
    own.issue("billing.internal"),
    own.issue("reports.internal"),
    other.issue("billing.internal"),
  ]);
  return { server, authority: own.cert, billing, reports, stranger };
}

/** `x5t#S256` of a certificate (RFC 8705 §3.1). */
export const thumbprintOf = ({ cert }: Pick<KeyAndCertificate, "cert">): string =>
  Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(":", ""), "hex").toString(
    "base64url",
  );

/** Whose it is, and who says so. */
export function namesIn({ cert }: Pick<KeyAndCertificate, "cert">): string {
  const { subjectAltName = "", issuer } = new X509Certificate(cert);
  return `${subjectAltName}, issued by ${issuer}`;
}

const kind = { keyType: "ec", algorithm: "sha256" } as const;

async function makeAuthority(name: string): Promise<{
  readonly cert: string;
  readonly issue: (dnsName: string) => Promise<KeyAndCertificate>;
}> {
  const authority = await generate([{ name: "commonName", value: name }], {
    ...kind,
    extensions: [{ name: "basicConstraints", cA: true, critical: true }],
  });
  return {
    cert: authority.cert,
    issue: async (dnsName) => {
      const made = await generate([{ name: "commonName", value: "A client" }], {
        ...kind,
        ca: { key: authority.private, cert: authority.cert },
        extensions: [
          { name: "basicConstraints", cA: false },
          { name: "subjectAltName", altNames: [{ type: 2, value: dnsName }] },
        ],
      });
      return { key: made.private, cert: made.cert };
    },
  };
}

async function makeServer(): Promise<KeyAndCertificate> {
  const made = await generate([{ name: "commonName", value: "localhost" }], {
    ...kind,
    extensions: [
      { name: "basicConstraints", cA: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] },
    ],
  });
  return { key: made.private, cert: made.cert };
}
