import type { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import type { Handshake } from "@firmshake/core";
import { forwardedOf, hasTrust, type OptionRule, oneOf, sourceOf } from "@firmshake/core/gate";
import { readClientCert } from "./client-cert-header.ts";

/**
 * Where a client's certificate is looked for, and nowhere else: on the TLS socket itself, or in the `Client-Cert` header (RFC 9440) of a
 * trusted proxy, which has ended TLS.
 */
export type CertificateSource = "socket" | "client-cert-header";

export const aCertificateSource: OptionRule = oneOf("socket", "client-cert-header");

/** The client's certificate, or in words why there is none. */
export type Presented = { readonly certificate: X509Certificate } | { readonly missing: string };

/** The certificate whose key the client holds; whether anybody vouches for it is another question. */
export function presentedCertificate(handshake: Handshake, from: CertificateSource): Presented {
  return from === "socket" ? onSocket(handshake) : inHeader(handshake);
}

function onSocket(handshake: Handshake): Presented {
  // Every client behind the proxy would pass for it.
  if (forwardedOf(handshake).isTrustedPeer) {
    return { missing: "the certificate on the socket is the trusted proxy's" };
  }
  const { socket } = (sourceOf(handshake).request ?? {}) as {
    readonly socket?: Partial<TLSSocket>;
  };
  const certificate = socket?.getPeerX509Certificate?.();
  return certificate === undefined ? { missing: "no certificate" } : { certificate };
}

function inHeader(handshake: Handshake): Presented {
  if (!hasTrust(handshake)) return { missing: "Client-Cert counts with trustProxy alone" };
  if (!forwardedOf(handshake).isTrustedPeer) return { missing: "the peer is no trusted proxy" };
  const { headers } = handshake;
  if (!headers.has("client-cert")) return { missing: "no Client-Cert header" };
  const certificate = readClientCert(headers.only("client-cert") ?? "");
  return certificate === undefined
    ? { missing: "Client-Cert is not one certificate" }
    : { certificate };
}
