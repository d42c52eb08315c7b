import type { RequestWords } from "./case.ts";

/** A case's request with everything filled in that the case leaves to the adapter. */
export interface FullRequest {
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly remoteAddress: string;
  readonly isTls: boolean;
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
 * where the request says `{token}` (or `{token-base64url}`), and into `Authorization` where it does not say.
 */
export function fullRequest(
  {
    url = "/ws",
    remoteAddress = defaultAddress,
    tls = true,
    headers = [host],
  }: Partial<RequestWords>,
  token?: string,
): FullRequest {
  const isPlaced = [url, ...headers.flat()].some((part) => part.includes("{token"));
  const place = (part: string): string =>
    part
      .replaceAll("{token}", () => token ?? "")
      .replaceAll("{token-base64url}", () => Buffer.from(token ?? "").toString("base64url"));
  const own = headers.map(([name, value]) => [name, place(value)] as const);
  const authorization =
    token === undefined || isPlaced ? [] : [["Authorization", `Bearer ${token}`] as const];
  const has = (name: string): boolean =>
    own.some(([given]) => given.toLowerCase() === name.toLowerCase());
  return {
    target: place(url),
    headers: [...own, ...upgradeHeaders.filter(([name]) => !has(name)), ...authorization],
    remoteAddress,
    isTls: tls,
  };
}

/** The value of the first Host line. */
export const hostOf = ({ headers }: Pick<FullRequest, "headers">): string | undefined =>
  headers.find(([name]) => name.toLowerCase() === "host")?.[1];

/** Node reads header bytes as Latin-1; on the wire they are UTF-8. */
export const asNodeReads = (text: string): string => Buffer.from(text, "utf8").toString("latin1");
