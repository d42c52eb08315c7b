import type { Errand } from "../protocol.ts";

/** Gets a ticket that is bound to a key of the page, and proves for the handshake whatever the errand says. */
export async function fetchBoundTicket(
  { from, bound }: Errand & Required<Pick<Errand, "bound">>,
  socket: string,
): Promise<string> {
  const keys = await makeKeys();
  const { token = "" } = await post(bound.tokenFrom, {}, await publicKeyOf(keys));
  const prover = bound.provenBy === "thief" ? await makeKeys() : keys;
  // #region shown
  // In the page, with a key of crypto.subtle
  const asking = await prove(keys, "POST", from, token);
  const ticket = await fetchTicket(from, token, asking);
  const proof = await prove(prover, "GET", socket, ticket);
  const query = `${ticket}~${proof}`; // ?ticket=…
  // #endregion
  return bound.provenBy === "nobody" ? ticket : query;
}

/** The private half can be used, and never be read. */
const makeKeys = (): Promise<CryptoKeyPair> =>
  crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);

async function publicKeyOf({ publicKey }: CryptoKeyPair): Promise<JsonWebKey> {
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", publicKey);
  return { kty, crv, x, y } as JsonWebKey;
}

async function fetchTicket(from: string, token: string, proof: string): Promise<string> {
  const { ticket = "" } = await post(from, { Authorization: `DPoP ${token}`, DPoP: proof });
  return ticket;
}

async function post(
  path: string,
  headers: Readonly<Record<string, string>>,
  body?: object,
): Promise<{ readonly token?: string; readonly ticket?: string }> {
  const answer = await fetch(path, {
    method: "POST",
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as { readonly token?: string; readonly ticket?: string };
}

/** A proof for one request, or one handshake (RFC 9449 §4.2), with the token or ticket that it is sent with. */
async function prove(
  keys: CryptoKeyPair,
  htm: "GET" | "POST",
  at: string,
  token: string,
): Promise<string> {
  const { origin, pathname } = new URL(at, location.href);
  const header = base64urlJson({ typ: "dpop+jwt", alg: "ES256", jwk: await publicKeyOf(keys) });
  const claims = base64urlJson({
    jti: crypto.randomUUID(),
    htm,
    htu: origin + pathname,
    iat: Math.floor(Date.now() / 1_000),
    ath: base64url(await crypto.subtle.digest("SHA-256", utf8.encode(token))),
  });
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    keys.privateKey,
    utf8.encode(`${header}.${claims}`),
  );
  return `${header}.${claims}.${base64url(signature)}`;
}

const utf8 = new TextEncoder();

const base64urlJson = (value: object): string => base64url(utf8.encode(JSON.stringify(value)));

const base64url = (bytes: ArrayBuffer | Uint8Array): string =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
