import { createHmac, generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** What every server and every token of a run agrees on. */
export const site = {
  origin: "https://app.example.com",
  foreignOrigin: "https://attacker.example",
  issuer: "https://id.example.com",
  audience: "https://chat.example.com",
};

/** A secret and a key pair, fresh for each run. Only `forServers` leaves the process. */
export function makeKeys() {
  const secret = randomBytes(32).toString("hex");
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicPem = publicKey.export({ type: "spki", format: "pem" });
  const publicJwk = { ...publicKey.export({ format: "jwk" }), alg: "ES256" };
  return { secret, privateKey, forServers: { secret, publicPem, publicJwk } };
}

/** A token of the size that identity providers give out. */
export function makeToken({ secret, privateKey }, algorithm, isForged = false) {
  const now = Math.floor(Date.now() / 1000);
  const input = [
    { alg: algorithm, typ: "JWT" },
    {
      iss: site.issuer,
      aud: site.audience,
      sub: `user-${randomBytes(8).toString("hex")}`,
      iat: now,
      exp: now + 3600,
      scope: "chat:read chat:write",
      name: "A. N. Example",
    },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${input}.${signatureOf(input).toString("base64url")}`;

  function signatureOf(text) {
    if (isForged) return randomBytes(algorithm === "HS256" ? 32 : 64);
    if (algorithm === "HS256") return createHmac("sha256", secret).update(text).digest();
    return sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" });
  }
}

/** The bytes of an opening handshake as Chrome writes it. */
export function handshakeBytes(origin, token) {
  return [
    "GET /chat HTTP/1.1",
    "Host: app.example.com",
    "Connection: Upgrade",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Upgrade: websocket",
    `Origin: ${origin}`,
    "Sec-WebSocket-Version: 13",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Cookie: theme=dark; consent=necessary",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    "\r\n",
  ].join("\r\n");
}
