import type { X509Certificate } from "node:crypto";
import type { RequestWords } from "./case.ts";
import { certificateOf, clientCertOf } from "./certificates.ts";
import type { Credentials } from "./tokens.ts";

/** A case's request with everything filled in that the case leaves to the adapter. */
export interface FullRequest {
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly remoteAddress: string;
  readonly isTls: boolean;
  /** What the client presents on the socket. */
  readonly certificate: X509Certificate | undefined;
  /** Whether an authority of the server vouches for it. */
  readonly isVouchedFor: boolean;
}

const defaultAddress = "203.0.113.20";

const host = ["Host", "app.example.com"] as const;

const upgradeHeaders = [
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Version", "13"],
  ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
] as const;

/**
 * Fills in the rest of a valid handshake. Host is left alone where headers are given, since its absence may be the case. The token goes
 * where the request says `{token}` (or `{token-base64url}`), and into `Authorization` where it does not say; its proof where it says
 * `{proof}`, or into `DPoP`. `{client-cert:NAME}` is a certificate in the form of RFC 9440, `{client-cert-pem:NAME}` and
 * others in a form that is not.
 */
export function fullRequest(
  {
    url = "/ws",
    remoteAddress = defaultAddress,
    tls = true,
    headers = [host],
    certificate,
    isVouchedFor = certificate !== undefined,
  }: Partial<RequestWords>,
  { token, proof }: Partial<Credentials> = {},
): FullRequest {
  const holds = (placeholder: string): boolean =>
    [url, ...headers.flat()].some((part) => part.includes(placeholder));
  const place = (part: string): string =>
    part
      .replaceAll("{token}", () => token ?? "")
      .replaceAll("{token-base64url}", () => Buffer.from(token ?? "").toString("base64url"))
      .replaceAll("{proof}", () => proof ?? "")
      .replaceAll(
        /\{client-cert(?:-([a-z]+))?:([^}]+)\}/g,
        (_, spelling: string | undefined, name: string) => clientCertOf(name, spelling ?? ""),
      );
  const own = headers.map(([name, value]) => [name, place(value)] as const);
  const has = (name: string): boolean =>
    own.some(([given]) => given.toLowerCase() === name.toLowerCase());
  const scheme = proof === undefined ? "Bearer" : "DPoP";
  return {
    target: place(url),
    headers: [
      ...own,
      ...upgradeHeaders.filter(([name]) => !has(name)),
      ...(token === undefined || holds("{token")
        ? []
        : [["Authorization", `${scheme} ${token}`] as const]),
      ...(proof === undefined || holds("{proof}") ? [] : [["DPoP", proof] as const]),
    ],
    remoteAddress,
    isTls: tls,
    certificate: certificate === undefined ? undefined : certificateOf(certificate),
    isVouchedFor,
  };
}

/** The value of the first Host line. */
export const hostOf = ({ headers }: Pick<FullRequest, "headers">): string | undefined =>
  headers.find(([name]) => name.toLowerCase() === "host")?.[1];

/** Node reads header bytes as Latin-1; on the wire they are UTF-8. */
export const asNodeReads = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
