import { Buffer } from "node:buffer";
import { createPublicKey, createSecretKey, type KeyObject } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import {
  bearerToken,
  cookieToken,
  guard,
  type Identity,
  type JwtOptions,
  jwt,
  queryToken,
  type Refusal,
  type TokenSource,
} from "@firmshake/core";
import { exportSPKI } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { askedOf, handshakeOf, thrownBy } from "../../support/handshakes.ts";
import {
  audience,
  claims,
  forged,
  issuer,
  type Pair,
  pairOf,
  seconds,
  secret,
  tokenOf,
} from "./signing.ts";

const base = { issuer, audience, keys: secret } as const;
const withToken = (token: string): ReturnType<typeof handshakeOf> =>
  handshakeOf({ headers: { authorization: `Bearer ${token}` } });
const asked = (token: string, options: Partial<JwtOptions> = {}): Promise<string> =>
  askedOf(jwt({ ...base, ...options }), withToken(token));

let rsa: Pair;
let ec: Pair;
let ed: Pair;
let shortKey: CryptoKey;
beforeAll(async () => {
  [rsa, ec, ed] = await Promise.all([pairOf("RS256"), pairOf("ES256"), pairOf("EdDSA")]);
  const hmac = { name: "HMAC", hash: "SHA-256" };
  shortKey = await crypto.subtle.importKey("raw", new Uint8Array(16), hmac, false, ["verify"]);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("a good token", () => {
  it("tells who it is: subject, claims and end, frozen to the depth", async () => {
    const payload = claims({ roles: ["reader"], plan: { name: "free" }, none: null });
    const answer = await jwt(base)(withToken(await tokenOf(payload)));
    if (!answer.ok) throw new Error(answer.reason);
    const { identity }: { readonly identity: Identity } = answer.facts;
    expect(identity).toEqual({
      subject: "ann",
      scheme: "bearer",
      claims: payload,
      expiresAt: (payload.exp ?? 0) * 1000,
    });
    for (const part of [identity, identity.claims, identity.claims.roles, identity.claims.plan]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
  });

  it.each<[string, Record<string, unknown>, Partial<JwtOptions>]>([
    ["of an audience among others", { aud: ["other", audience] }, {}],
    ["for one of several names of the service", {}, { audience: ["other", audience] }],
    ["that just began", { nbf: seconds() }, {}],
    ["that ended within the tolerance", { exp: seconds() - 5 }, { clockToleranceSeconds: 60 }],
    ["that begins within the tolerance", { nbf: seconds() + 5 }, { clockToleranceSeconds: 60 }],
    [
      "whose subject is another claim",
      { sub: undefined, email: "ann@example.com" },
      { subjectClaim: "email" },
    ],
    ["that lives as long as is allowed", {}, { maxLifetimeSeconds: 301 }],
    [
      "that is bound to a key, where that is ignored",
      { cnf: { jkt: "A".repeat(43) } },
      { insecureIgnoreConfirmation: true },
    ],
    [
      "without an end, where that is allowed",
      { exp: undefined },
      { insecureAllowMissingExpiry: true },
    ],
  ])("may be one %s", async (_, changed, options) => {
    expect(await asked(await tokenOf(claims(changed)), options)).toBe("allow");
  });

  it.each([undefined, "JWT", "jwt", "at+jwt", "application/at+jwt", "AT+JWT"])(
    "may have the type %s",
    async (typ) => {
      expect(await asked(await tokenOf(claims(), typ === undefined ? {} : { typ }))).toBe("allow");
    },
  );

  it("has no end where it has none", async () => {
    const answer = await jwt({ ...base, insecureAllowMissingExpiry: true })(
      withToken(await tokenOf(claims({ exp: undefined }))),
    );
    expect(answer.ok && answer.facts.identity.expiresAt).toBeUndefined();
  });
});

describe("the profile of RFC 9068", () => {
  const profile = "rfc9068";
  const accessToken = { client_id: "app", jti: "1" };
  const of = (changed: Record<string, unknown>, typ: unknown = "at+jwt"): Promise<string> =>
    tokenOf(claims({ ...accessToken, ...changed }), typ === null ? {} : { typ });

  it.each(["at+jwt", "AT+JWT", "application/at+jwt"])("takes the type %s", async (typ) => {
    expect(await asked(await of({}, typ), { profile })).toBe("allow");
  });

  it.each<[string, Record<string, unknown>, unknown?]>([
    ["without a type", {}, null],
    ["of the type JWT, as ID tokens are", {}, "JWT"],
    ["of a type that ends alike", {}, "xat+jwt"],
    ...["client_id", "jti", "sub", "iat", "exp", "aud", "iss"].map(
      (name): [string, Record<string, unknown>] => [`without ${name}`, { [name]: undefined }],
    ),
    ...["client_id", "jti", "sub"].flatMap((name): [string, Record<string, unknown>][] => [
      [`with an empty ${name}`, { [name]: "" }],
      [`with a ${name} that is no text`, { [name]: 1 }],
    ]),
    ["with an iat that is no number", { iat: "1" }],
  ])("refuses a token %s", async (_, changed, typ) => {
    expect(await asked(await of(changed, typ), { profile })).toBe("token_invalid");
  });

  it("asks for sub also where the subject is another claim", async () => {
    const options = { profile, subjectClaim: "client_id" } as const;
    expect(await asked(await of({}), options)).toBe("allow");
    expect(await asked(await of({ sub: undefined }), options)).toBe("token_invalid");
  });

  it("is explained", () => {
    expect(guard(jwt({ ...base, profile })).explain()).toContain("access tokens of RFC 9068");
  });
});

describe("keys", () => {
  const signed = (pair: Pair, kid?: string): Promise<string> =>
    tokenOf(
      claims(),
      { alg: pair.jwk.alg, ...(kid === undefined ? {} : { kid }) },
      pair.privateKey,
    );

  it.each<[string, () => readonly [JwtOptions["keys"], Pair]]>([
    ["a JWK", () => [ec.jwk, ec]],
    ["a JWK of RSA", () => [rsa.jwk, rsa]],
    ["a JWK of Ed25519", () => [ed.jwk, ed]],
    ["a set", () => [{ keys: [rsa.jwk, ec.jwk] }, ec]],
  ])("in JSON name their algorithms: %s", async (_, given) => {
    const [keys, pair] = given();
    const check = jwt({ issuer, audience, ...(keys === undefined ? {} : { keys }) });
    for (let count = 0; count < 2; count++) {
      expect(await askedOf(check, withToken(await signed(pair, pair.jwk.kid)))).toBe("allow");
    }
  });

  it("may be a CryptoKey, or Node's KeyObject", async () => {
    const token = await signed(ec);
    const object: KeyObject = createPublicKey(await exportSPKI(ec.publicKey));
    expect(await asked(token, { keys: ec.publicKey, algorithms: ["ES256"] })).toBe("allow");
    expect(await asked(token, { keys: object, algorithms: ["ES256"] })).toBe("allow");
    expect(
      await asked(await tokenOf(), { keys: createSecretKey(secret), algorithms: ["HS256"] }),
    ).toBe("allow");
  });

  it("may be a secret in JSON, alone", async () => {
    const keys = { kty: "oct", k: Buffer.from(secret).toString("base64url"), alg: "HS256" };
    expect(await asked(await tokenOf(), { keys })).toBe("allow");
  });

  it.each([
    ["HS384", 48],
    ["HS512", 64],
  ] as const)("may be a secret for %s", async (alg, bytes) => {
    const keys = new Uint8Array(bytes).fill(7);
    expect(await asked(await tokenOf(claims(), { alg }, keys), { keys, algorithms: [alg] })).toBe(
      "allow",
    );
  });

  it("that are not there make a token invalid, not the keys unavailable", async () => {
    expect(await asked(await signed(ec, "other"), { keys: { keys: [rsa.jwk, ec.jwk] } })).toBe(
      "token_invalid",
    );
  });
});

describe("attacks on the token (RFC 8725)", () => {
  const none = (alg: unknown, signature?: string): string =>
    forged({ alg, typ: "JWT" }, claims(), signature);

  it.each<[string, () => string | Promise<string>, Partial<JwtOptions>]>([
    ["alg none without a signature", () => none("none", ""), {}],
    ["alg none with one", () => none("none"), {}],
    ["alg None", () => none("None"), {}],
    ["alg that is no text", () => none(["HS256"]), {}],
    ["no alg", () => none(undefined), {}],
    ["no signature", async () => (await tokenOf()).replace(/[^.]+$/, ""), {}],
    ["another signature", async () => (await tokenOf()).replace(/[^.]+$/, "AAAA"), {}],
    [
      "another payload",
      async () =>
        (await tokenOf()).replace(
          /\.[^.]+\./,
          `.${Buffer.from(JSON.stringify(claims({ sub: "root" }))).toString("base64url")}.`,
        ),
      {},
    ],
    ["another secret", () => tokenOf(claims(), {}, new Uint8Array(32)), {}],
    [
      "another algorithm of the same secret",
      () => tokenOf(claims(), { alg: "HS512" }, Buffer.alloc(64, secret)),
      {},
    ],
    ["an issuer that is another", () => tokenOf(claims({ iss: "https://evil.example" })), {}],
    ["an issuer that is nearly ours", () => tokenOf(claims({ iss: `${issuer}/` })), {}],
    ["an issuer among others", () => tokenOf(claims({ iss: [issuer] })), {}],
    ["no issuer", () => tokenOf(claims({ iss: undefined })), {}],
    ["another audience", () => tokenOf(claims({ aud: "mail" })), {}],
    ["other audiences", () => tokenOf(claims({ aud: ["mail", "chatter"] })), {}],
    ["no audience", () => tokenOf(claims({ aud: undefined })), {}],
    ["no end", () => tokenOf(claims({ exp: undefined })), {}],
    ["an end that is no number", () => tokenOf(claims({ exp: "9999999999" })), {}],
    [
      "an end that is never",
      () => tokenOf(JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999')),
      {},
    ],
    ["an end in the past", () => tokenOf(claims({ exp: seconds() - 1 })), {}],
    ["an end just now", () => tokenOf(claims({ exp: seconds() })), {}],
    [
      "an end past the tolerance",
      () => tokenOf(claims({ exp: seconds() - 61 })),
      { clockToleranceSeconds: 60 },
    ],
    ["a beginning in the future", () => tokenOf(claims({ nbf: seconds() + 5 })), {}],
    [
      "a longer life than is allowed",
      () => tokenOf(claims({ exp: seconds() + 400 })),
      { maxLifetimeSeconds: 300 },
    ],
    [
      "an endless life where one is limited",
      () => tokenOf(claims({ exp: undefined })),
      { maxLifetimeSeconds: 300, insecureAllowMissingExpiry: true },
    ],
    ["no subject", () => tokenOf(claims({ sub: undefined })), {}],
    ["an empty subject", () => tokenOf(claims({ sub: "" })), {}],
    ["a subject that is no text", () => tokenOf(claims({ sub: 1 })), {}],
    ["a subject that Object has", () => tokenOf(), { subjectClaim: "toString" }],
    ["a payload that is a list", () => tokenOf(JSON.stringify([claims()])), {}],
    ["a payload that is no JSON", () => tokenOf("{"), {}],
    [
      "an extension that must be understood",
      () => tokenOf(claims(), { crit: ["exp"], exp: 1 }),
      {},
    ],
    [
      "a payload that is not encoded",
      async () => forged({ alg: "HS256", b64: false, crit: ["b64"] }, claims()),
      {},
    ],
    ["a binding to a DPoP key", () => tokenOf(claims({ cnf: { jkt: "A".repeat(43) } })), {}],
    ["a binding to a certificate", () => tokenOf(claims({ cnf: { "x5t#S256": "A" } })), {}],
    ["a binding to a key of its own", () => tokenOf(claims({ cnf: { jwk: {} } })), {}],
    ["a binding to nothing", () => tokenOf(claims({ cnf: null })), {}],
    ["the type of a DPoP proof", () => tokenOf(claims(), { typ: "dpop+jwt" }), {}],
    ["the type of a logout token", () => tokenOf(claims(), { typ: "logout+jwt" }), {}],
    ["an empty type", () => tokenOf(claims(), { typ: "" }), {}],
    ["a type that is no text", () => tokenOf(claims(), { typ: 1 }), {}],
    ["another type than is asked for", () => tokenOf(claims(), { typ: "JWT" }), { typ: "at+jwt" }],
    ["no type where one is asked for", () => tokenOf(), { typ: "at+jwt" }],
    ["the form of an encrypted token", () => "e30.e30.e30.e30.e30", {}],
    ["a single letter", () => "a", {}],
  ])("%s", async (_, token, options) => {
    const check = jwt({ ...base, from: [queryToken("t")], ...options });
    const target = `/chat?t=${encodeURIComponent(await token())}`;
    expect(await askedOf(check, handshakeOf({ target }))).toBe("token_invalid");
  });

  it("a public key that passes for a secret", async () => {
    const pem = new TextEncoder().encode(await exportSPKI(rsa.publicKey));
    const json = new TextEncoder().encode(JSON.stringify(rsa.jwk));
    for (const key of [pem, json]) {
      const token = await tokenOf(claims(), { alg: "HS256", kid: rsa.jwk.kid }, key);
      expect(await asked(token, { keys: rsa.jwk })).toBe("token_invalid");
      expect(await asked(token, { keys: rsa.publicKey, algorithms: ["RS256"] })).toBe(
        "token_invalid",
      );
      expect(await asked(token, { keys: { keys: [rsa.jwk] } })).toBe("token_invalid");
    }
  });

  it("a key that the token brings along", async () => {
    const own = await pairOf("ES256", "own");
    const token = await tokenOf(claims(), { alg: "ES256", jwk: own.jwk }, own.privateKey);
    expect(await asked(token, { keys: ec.jwk })).toBe("token_invalid");
  });

  it("a key that the token names elsewhere is never asked for", async () => {
    let calls = 0;
    const server = createServer((_, response) => {
      calls++;
      response.end("{}");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const own = await pairOf("ES256", "own");
      const header = { alg: "ES256", jku: url, x5u: url, kid: url };
      expect(await asked(await tokenOf(claims(), header, own.privateKey), { keys: ec.jwk })).toBe(
        "token_invalid",
      );
      expect(calls).toBe(0);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it.each<[string, (token: string) => string]>([
    ["padding", (token) => `${token}=`],
    ["a line break", (token) => `${token}\n`],
    ["a blank", (token) => ` ${token}`],
    ["the other alphabet", (token) => `${token.slice(0, -43)}+${token.slice(-42)}`],
    [
      "spare bits in the last letter",
      (token) => token.slice(0, -1) + nextLetter(token.at(-1) ?? ""),
    ],
    ["a dot behind", (token) => `${token}.`],
  ])("another spelling of a good token: %s", async (_, spell) => {
    const check = jwt({ ...base, from: [queryToken("t")] });
    const target = `/chat?t=${encodeURIComponent(spell(await tokenOf()))}`;
    expect(await askedOf(check, handshakeOf({ target }))).toBe("token_invalid");
  });

  it("a token that is too long, by default and as configured", async () => {
    expect(await asked(await tokenOf(claims({ pad: "a".repeat(8_192) })))).toBe("token_malformed");
    expect(await asked(await tokenOf(), { maxTokenBytes: 100 })).toBe("token_malformed");
  });

  it("one answer covers them all, with the challenge of RFC 6750, and the reason is for logs", async () => {
    const tokens = [
      await tokenOf(claims({ exp: 1 })),
      await tokenOf(claims({ aud: "x" })),
      "a.b.c",
      await tokenOf(claims(), {}, new Uint8Array(32)),
    ];
    const refusals = await Promise.all(
      tokens.map(async (token) => (await jwt(base)(withToken(token))) as Refusal),
    );
    for (const { code, status, headers, detail } of refusals) {
      expect({ code, status, headers, detail }).toEqual({
        code: "token_invalid",
        status: 401,
        headers: [["WWW-Authenticate", 'Bearer realm="websocket", error="invalid_token"']],
        detail: undefined,
      });
    }
    expect(refusals.map(({ reason }) => reason)).toEqual([
      "ERR_JWT_EXPIRED exp",
      "ERR_JWT_CLAIM_VALIDATION_FAILED aud",
      "not a compact JWS in canonical base64url",
      "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
    ]);
  });

  it("an error that is no error of the token is told as little", async () => {
    const token = await tokenOf(claims(), { alg: "ES256" }, ec.privateKey);
    // A point that is on no curve: the runtime cannot import it.
    const refusal = (await jwt({ issuer, audience, keys: { ...ec.jwk, x: "AAAA" } })(
      withToken(token),
    )) as Refusal;
    expect([refusal.code, refusal.reason]).toEqual(["token_invalid", "not verified"]);
  });
});

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** Of 43 letters for 32 bytes the last holds two spare bits: the next letter spells the same bytes. */
const nextLetter = (letter: string): string => letters[letters.indexOf(letter) + 1] ?? "";

describe("where the token comes from", () => {
  it("is Authorization and the subprotocols, unless said otherwise", async () => {
    const token = await tokenOf();
    const check = jwt(base);
    expect(
      await askedOf(
        check,
        handshakeOf({ headers: { "sec-websocket-protocol": `bearer, ${token}` } }),
      ),
    ).toBe("allow");
    expect(
      await askedOf(
        check,
        handshakeOf({ target: `/?access_token=${token}`, headers: { cookie: `session=${token}` } }),
      ),
    ).toBe("token_missing");
    expect(
      await askedOf(
        jwt({ ...base, from: [cookieToken("session")] }),
        handshakeOf({ headers: { cookie: `session=${token}` } }),
      ),
    ).toBe("allow");
  });

  it("may be a source of one's own, and is refused where that answers nonsense", async () => {
    const own = (read: TokenSource["read"]): JwtOptions["from"] => [
      { name: "own", isAmbient: false, read },
    ];
    const token = await tokenOf();
    expect(await askedOf(jwt({ ...base, from: own(() => [token]) ?? [] }), handshakeOf())).toBe(
      "allow",
    );
    expect(await askedOf(jwt({ ...base, from: own(() => []) ?? [] }), handshakeOf())).toBe(
      "token_missing",
    );
  });
});

describe("the cache of verified tokens", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_800_000_000_000 });
  });

  function counting(
    options: Partial<JwtOptions>,
  ): (token: string) => Promise<readonly [string, number]> {
    const check = jwt({ ...base, ...options });
    const verify = vi.spyOn(crypto.subtle, "verify");
    return async (token) => {
      verify.mockClear();
      return [await askedOf(check, withToken(token)), verify.mock.calls.length];
    };
  }

  it("is off unless asked for", async () => {
    const ask = counting({});
    const token = await tokenOf();
    expect(await ask(token)).toEqual(["allow", 1]);
    expect(await ask(token)).toEqual(["allow", 1]);
  });

  it("answers synchronously for a token that was verified", async () => {
    const check = jwt({ ...base, cache: { maxTokens: 10 } });
    const token = await tokenOf();
    await check(withToken(token));
    expect(check(withToken(token))).toMatchObject({
      ok: true,
      facts: { identity: { subject: "ann" } },
    });
  });

  it("never outlives the token", async () => {
    const ask = counting({ cache: { maxTokens: 10, maxAgeMs: 1e9 } });
    const token = await tokenOf(claims({ exp: seconds() + 10 }));
    expect(await ask(token)).toEqual(["allow", 1]);
    vi.setSystemTime(1_800_000_009_999);
    expect(await ask(token)).toEqual(["allow", 0]);
    vi.setSystemTime(1_800_000_010_000);
    expect(await ask(token)).toEqual(["token_invalid", 1]);
  });

  it("ends with the token though the clock is tolerant: from there on each is verified", async () => {
    const ask = counting({ clockToleranceSeconds: 60, cache: { maxTokens: 10 } });
    const token = await tokenOf(claims({ exp: seconds() - 5 }));
    expect(await ask(token)).toEqual(["allow", 1]);
    expect(await ask(token)).toEqual(["allow", 1]);
  });

  it.each<[string, number | undefined, number]>([
    ["a minute", undefined, 60_000],
    ["as long as is said", 500, 500],
  ])("remembers for %s", async (_, maxAgeMs, age) => {
    const ask = counting({ cache: { maxTokens: 10, ...(maxAgeMs && { maxAgeMs }) } });
    const token = await tokenOf();
    await ask(token);
    vi.setSystemTime(1_800_000_000_000 + age - 1);
    expect(await ask(token)).toEqual(["allow", 0]);
    vi.setSystemTime(1_800_000_000_000 + age);
    expect(await ask(token)).toEqual(["allow", 1]);
  });

  it("also remembers tokens without an end", async () => {
    const ask = counting({ insecureAllowMissingExpiry: true, cache: { maxTokens: 1 } });
    const token = await tokenOf(claims({ exp: undefined }));
    expect([await ask(token), await ask(token)]).toEqual([
      ["allow", 1],
      ["allow", 0],
    ]);
  });

  it("forgets the least recently used beyond its bound", async () => {
    const ask = counting({ cache: { maxTokens: 2 } });
    const [a = "", b = "", c = ""] = await Promise.all(
      ["a", "b", "c"].map((sub) => tokenOf(claims({ sub }))),
    );
    for (const token of [a, b, a, c]) await ask(token);
    expect(await ask(a)).toEqual(["allow", 0]);
    expect(await ask(c)).toEqual(["allow", 0]);
    expect(await ask(b)).toEqual(["allow", 1]);
  });

  it("never remembers what was refused", async () => {
    const ask = counting({ cache: { maxTokens: 2 } });
    const token = await tokenOf(claims(), {}, new Uint8Array(32));
    expect([await ask(token), await ask(token)]).toEqual([
      ["token_invalid", 1],
      ["token_invalid", 1],
    ]);
  });
});

describe("options that are refused when they are written", () => {
  const short = Buffer.alloc(31).toString("base64url");

  it.each<[string, () => object, string, string]>([
    [
      "no issuer",
      () => ({ audience, keys: secret }),
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"issuer" is required',
    ],
    [
      "no audience",
      () => ({ issuer, keys: secret }),
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"audience" is required',
    ],
    [
      "no audience in a list",
      () => ({ issuer, audience: [], keys: secret }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"audience" must be a non-empty string, or a non-empty list',
    ],
    [
      "neither keys nor jwksUri, of an issuer that cannot be asked",
      () => ({ issuer: "accounts", audience }),
      "ERR_FIRMSHAKE_OPTION_MISSING",
      'give either "keys" or "jwksUri"; "issuer" is no URL',
    ],
    ...["?tenant=1", "#a", "?"].map((end): [string, () => object, string, string] => [
      `an issuer that ends with ${end}, to be asked for its keys`,
      () => ({ issuer: `${issuer}/${end}`, audience }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "without query, fragment and password",
    ]),
    ...["https://ann@id.example.com", "https://:secret@id.example.com"].map(
      (given): [string, () => object, string, string] => [
        `an issuer with credentials, to be asked for its keys: ${given}`,
        () => ({ issuer: given, audience }),
        "ERR_FIRMSHAKE_OPTION_INVALID",
        "without query, fragment and password",
      ],
    ),
    ...["http://id.example.com", "ftp://id.example.com", "http://127.0.0.1.example"].map(
      (given): [string, () => object, string, string] => [
        `an issuer without TLS, to be asked for its keys: ${given}`,
        () => ({ issuer: given, audience }),
        "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
        '"issuer" must be an https: URL',
      ],
    ),
    [
      "another profile",
      () => ({ ...base, profile: "rfc9069" }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"profile" must be "rfc9068"',
    ],
    ...[{ typ: "JWT" }, { insecureAllowMissingExpiry: true }].map(
      (given): [string, () => object, string, string] => [
        `${Object.keys(given)} beside a profile`,
        () => ({ ...base, profile: "rfc9068", ...given }),
        "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
        `leave "${Object.keys(given)}" out`,
      ],
    ),
    [
      "how to ask for keys that are given",
      () => ({ ...base, jwks: { timeoutMs: 1 } }),
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      "leave one of them out",
    ],
    [
      "both",
      () => ({ ...base, jwksUri: "https://id.example.com/jwks" }),
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      'give either "keys" or "jwksUri"',
    ],
    [
      "a secret as a text",
      () => ({ ...base, keys: "secret" }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "new TextEncoder().encode(secret)",
    ],
    [
      "a PEM text",
      () => ({ ...base, keys: "-----BEGIN PUBLIC KEY-----" }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "importSPKI()",
    ],
    [
      "a key that is none",
      () => ({ ...base, keys: {} }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "Give a Uint8Array, a CryptoKey, a KeyObject, a JWK or { keys: [...] }.",
    ],
    [
      "null for keys",
      () => ({ ...base, keys: null }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "Give a Uint8Array",
    ],
    [
      "an empty set",
      () => ({ ...base, keys: { keys: [] }, algorithms: ["ES256"] }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "Give a Uint8Array",
    ],
    [
      "a set that is no list",
      () => ({ ...base, keys: { keys: "x" }, algorithms: ["ES256"] }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "Give a Uint8Array",
    ],
    [
      "a short secret",
      () => ({ ...base, keys: new Uint8Array(31) }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "the secret has 31 bytes; HS256 needs 32 or more",
    ],
    [
      "a secret too short for its algorithm",
      () => ({ ...base, algorithms: ["HS512"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "HS512 needs 64 or more",
    ],
    [
      "a short secret in JSON",
      () => ({ ...base, keys: { kty: "oct", k: short, alg: "HS256" } }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "the secret has 31 bytes",
    ],
    [
      "a secret in JSON without bytes",
      () => ({ ...base, keys: { kty: "oct", alg: "HS256" } }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "the secret has 0 bytes",
    ],
    [
      "a secret in a set",
      () => ({ ...base, keys: { keys: [{ kty: "oct", k: short, alg: "HS256" }] } }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "each with one secret as a Uint8Array",
    ],
    [
      "a secret that does not tell its length",
      () => ({ ...base, keys: { type: "secret" }, algorithms: ["HS256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "the secret has 0 bytes",
    ],
    [
      "a short secret as a CryptoKey",
      () => ({ ...base, keys: shortKey, algorithms: ["HS256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "the secret has 16 bytes",
    ],
    [
      "a short secret as a KeyObject",
      () => ({ ...base, keys: createSecretKey(new Uint8Array(31)), algorithms: ["HS256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "the secret has 31 bytes",
    ],
    [
      "a private key",
      () => ({ ...base, keys: ec.privateKey, algorithms: ["ES256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "give the public one",
    ],
    [
      "a private key in JSON",
      () => ({ ...base, keys: { ...ec.jwk, d: "AAAA" } }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "give the public one",
    ],
    [
      "algorithm none",
      () => ({ ...base, algorithms: ["none"] }),
      "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
      '"none" is no signature algorithm that is accepted here; "algorithms" may hold HS256',
    ],
    [
      "an algorithm of encryption",
      () => ({ ...base, keys: { ...rsa.jwk, alg: "RSA-OAEP" } }),
      "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
      '"RSA-OAEP"',
    ],
    [
      "secrets among public keys",
      () => ({ ...base, algorithms: ["HS256", "RS256"] }),
      "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
      "Write any(jwt({...}), jwt({...})), one for each.",
    ],
    [
      "a secret for a public algorithm",
      () => ({ ...base, algorithms: ["ES256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "HS… goes with a Uint8Array",
    ],
    [
      "a public key for a secret's algorithm",
      () => ({ ...base, keys: ec.publicKey, algorithms: ["HS256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "all others with public keys",
    ],
    [
      "published keys for a secret's algorithm",
      () => ({ issuer, audience, jwksUri: "https://id.example.com/", algorithms: ["HS256"] }),
      "ERR_FIRMSHAKE_KEY_UNFIT",
      "or jwksUri",
    ],
    [
      "a key that does not name its algorithm",
      () => ({ ...base, keys: ec.publicKey }),
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"algorithms" is required',
    ],
    [
      "a JWK that does not",
      () => ({ ...base, keys: { ...ec.jwk, alg: undefined } }),
      "ERR_FIRMSHAKE_OPTION_MISSING",
      'give a list such as ["ES256"]',
    ],
    [
      "keys over plain http",
      () => ({ issuer, audience, jwksUri: "http://id.example.com/" }),
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      '"jwksUri" must be an https: URL',
    ],
    [
      "keys from a name that only looks local",
      () => ({ issuer, audience, jwksUri: "http://localhost.evil.example/" }),
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      "only on loopback",
    ],
    [
      "keys behind a password",
      () => ({ issuer, audience, jwksUri: "https://ann:secret@id.example.com/" }),
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      "without a password",
    ],
    [
      "keys from a file",
      () => ({ issuer, audience, jwksUri: "file:///keys" }),
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      "https:",
    ],
    [
      "a jwksUri that is none",
      () => ({ issuer, audience, jwksUri: "keys" }),
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      "https:",
    ],
    [
      "an empty list of sources",
      () => ({ ...base, from: [] }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"from" must be a non-empty list of token sources',
    ],
    [
      "a source that was not called",
      () => ({ ...base, from: [bearerToken] }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a non-empty list of token sources",
    ],
    [
      "a source that does not say whether it is ambient",
      () => ({ ...base, from: [{ name: "own", read: () => [] }] }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a non-empty list of token sources",
    ],
    [
      "nothing for a source",
      () => ({ ...base, from: [null] }),
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a non-empty list of token sources",
    ],
    [
      "a cache without a bound",
      () => ({ ...base, cache: {} }),
      "ERR_FIRMSHAKE_OPTION_MISSING",
      'jwt.cache: "maxTokens" is required',
    ],
    [
      "an unknown option of the key set",
      () => ({ issuer, audience, jwksUri: "https://id.example.com/", jwks: { timeout: 1 } }),
      "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      'jwt.jwks: there is no option "timeout". Did you mean "timeoutMs"?',
    ],
    [
      "a slip of the hand",
      () => ({ ...base, audiance: audience }),
      "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      'Did you mean "audience"?',
    ],
  ])("%s", (_, options, code, fix) => {
    const message = thrownBy(() => jwt(options() as JwtOptions));
    expect(message).toContain(code);
    expect(message).toContain(fix);
    expect(message).not.toContain(short);
  });

  it.each([
    "https://id.example.com/jwks",
    "http://localhost:1/",
    "http://127.0.0.1/",
    "http://[::1]/",
    new URL("https://id.example.com/"),
  ])("but keys may come from %s", (jwksUri) => {
    expect(thrownBy(() => jwt({ issuer, audience, jwksUri }))).toBe("nothing was thrown");
  });
});
