import { randomUUID } from "node:crypto";
import { generate } from "selfsigned";

/** A private key and its certificate, as TLS takes them. */
export interface KeyAndCertificate {
  readonly key: string;
  readonly cert: string;
}

/** What a test says of a client's certificate. */
export interface ClientCertificateSketch {
  /** Of the types 1 (mail), 2 (DNS) and 6 (URI). Default: none. */
  readonly names?: readonly { readonly type: 1 | 2 | 6; readonly value: string }[];
  readonly isAuthority?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** An authority of its own, made anew, and what signs certificates of clients by it. */
export async function makeAuthority(name = `Authority ${randomUUID()}`): Promise<{
  readonly cert: string;
  readonly issue: (sketch?: ClientCertificateSketch) => Promise<KeyAndCertificate>;
}> {
  const authority = await generate([{ name: "commonName", value: name }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [{ name: "basicConstraints", cA: true, critical: true }],
  });
  return {
    cert: authority.cert,
    issue: async ({ names = [], isAuthority = false, notBefore, notAfter } = {}) => {
      const made = await generate([{ name: "commonName", value: "A client" }], {
        keyType: "ec",
        algorithm: "sha256",
        ca: { key: authority.private, cert: authority.cert },
        ...(notBefore && { notBeforeDate: notBefore }),
        ...(notAfter && { notAfterDate: notAfter }),
        extensions: [
          { name: "basicConstraints", cA: isAuthority },
          ...(names.length > 0 ? [{ name: "subjectAltName" as const, altNames: [...names] }] : []),
        ],
      });
      return { key: made.private, cert: made.cert };
    },
  };
}

/** A private key and a self-signed certificate of localhost, made anew. */
export async function makeCertificate(): Promise<KeyAndCertificate> {
  const made = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
  return { key: made.private, cert: made.cert };
}
