import { Buffer } from "node:buffer";
import {
  any,
  type DpopOptions,
  guard,
  insecureAnyOrigin,
  type JwtOptions,
  jwt,
  memoryReplayStore,
  type Refusal,
  trustedProxies,
} from "@firmshake/core";
import { exportJWK } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";
import { hashOf, type Prover, proverOf } from "./proving.ts";
import { audience, claims, forged, issuer, seconds, secret, tokenOf } from "./signing.ts";

const origins = ["https://app.example.com", "http://localhost:8080"];
const checkOf = (
  dpop: Partial<DpopOptions> = {},
  options: Partial<JwtOptions> = {},
): ReturnType<typeof jwt> =>
  jwt({ issuer, audience, keys: secret, dpop: { origins, ...dpop }, ...options });

let ann: Prover;
let other: Prover;
beforeAll(async () => {
  [ann, other] = await Promise.all([proverOf(), proverOf()]);
});
afterEach(() => {
  vi.useRealTimers();
});

const presented = (
  proof: string | readonly string[] | undefined,
  token: string = ann.token,
  sketch: HandshakeSketch = {},
): ReturnType<typeof handshakeOf> =>
  handshakeOf({
    ...sketch,
    headers: { authorization: `DPoP ${token}`, dpop: proof, ...sketch.headers },
  });
const asked = async (
  proof: string | readonly string[] | undefined | Promise<string>,
  token?: string,
  sketch?: HandshakeSketch,
): Promise<string> => askedOf(checkOf(), presented(await proof, token, sketch));

describe("a good proof", () => {
  it("lets in who has the key, and says so", async () => {
    const answer = await checkOf()(presented(await ann.proof()));
    expect(answer).toMatchObject({
      ok: true,
      facts: { identity: { subject: "ann", scheme: "dpop", claims: { iss: issuer } } },
    });
  });

  it.each(["DPoP", "dpop", "DPOP"])("goes with a token behind the scheme %s", async (scheme) => {
    const headers = { authorization: `${scheme} ${ann.token}` };
    expect(await asked(ann.proof(), ann.token, { headers })).toBe("allow");
  });

  it.each([
    ["is as old as is allowed", { iat: -59 }],
    ["is of a clock that is a little ahead", { iat: 4 }],
    ["has a time with a fraction", { iat: -0.5 }],
  ])("%s", async (_, { iat }) => {
    expect(await asked(ann.proof({ iat: seconds() + iat }))).toBe("allow");
  });

  it.each([
    ["names a key, which is not looked for", { kid: "https://evil.example" }],
    ["names keys elsewhere, which are not fetched", { jku: "https://evil.example", x5u: "x" }],
  ])("%s", async (_, header) => {
    expect(await asked(ann.proof({}, header))).toBe("allow");
  });

  it.each(["ES256", "EdDSA", "Ed25519"])("may be signed by %s", async (alg) => {
    const prover = await proverOf(alg);
    expect(await asked(prover.proof(), prover.token)).toBe("allow");
  });

  it.each(["ES384", "PS256", "RS256"])("may be signed by %s where that is said", async (alg) => {
    const prover = await proverOf(alg);
    const check = checkOf({ algorithms: [alg] });
    expect(await askedOf(check, presented(await prover.proof(), prover.token))).toBe("allow");
    expect(await asked(prover.proof(), prover.token)).toBe("proof_invalid");
  });

  it.each<[string, string, HandshakeSketch]>([
    ["the scheme of WebSockets", "wss://app.example.com/chat", {}],
    ["the default port", "https://app.example.com:443/chat", {}],
    ["capitals in scheme and host", "HTTPS://APP.example.com/chat", {}],
    ["encoded letters that need none", "https://app.example.com/%63hat", {}],
    ["dot segments", "https://app.example.com/a/.././chat", {}],
    ["no path", "wss://app.example.com", { target: "/" }],
    ["the path of a request with a query", "wss://app.example.com/chat", { target: "/chat?a=b" }],
    [
      "another port, plain",
      "ws://localhost:8080/chat",
      {
        isTls: false,
        headers: { host: "localhost:8080" },
      },
    ],
    [
      "the name that the client used, behind a proxy that ends TLS",
      "wss://app.example.com/chat",
      {
        isTls: false,
        trust: trustedProxies(["203.0.113.7"]),
        headers: { "x-forwarded-proto": "https", "x-forwarded-for": "198.51.100.1" },
      },
    ],
  ])("may spell the address with %s", async (_, htu, sketch) => {
    expect(await asked(ann.proof({ htu }), ann.token, sketch)).toBe("allow");
  });

  it("names the method CONNECT over HTTP/2 (RFC 8441)", async () => {
    const sketch = { method: "CONNECT", httpVersion: "2.0" };
    expect(await asked(ann.proof({ htm: "CONNECT" }), ann.token, sketch)).toBe("allow");
    expect(await asked(ann.proof({ htm: "GET" }), ann.token, sketch)).toBe("proof_invalid");
  });

  it("is asked for again where the token is remembered", async () => {
    const check = checkOf({}, { cache: { maxTokens: 10 } });
    expect(await askedOf(check, presented(await ann.proof()))).toBe("allow");
    expect(await askedOf(check, presented(undefined))).toBe("proof_invalid");
    expect(await askedOf(check, presented(await other.proof({ ath: hashOf(ann.token) })))).toBe(
      "proof_invalid",
    );
    expect(await askedOf(check, presented(await ann.proof()))).toBe("allow");
  });
});

/** The claims of a good proof in JSON, with something done to the text. */
const written = (change: (json: string) => string): string => change(JSON.stringify(ann.claims()));
const encoded = (json: string): string => Buffer.from(json).toString("base64url");
const at = (change: number): { readonly iat: number } => ({ iat: seconds() + change });
const shortSecret = new Uint8Array(32).fill(7);

describe("attacks on the proof (RFC 9449 §4.3)", () => {
  it.each<[string, () => string | readonly string[] | undefined | Promise<string | string[]>]>([
    ["no proof", () => undefined],
    ["an empty one", () => ""],
    ["two headers", async () => [await ann.proof(), await ann.proof()]],
    ["the same header twice", async () => new Array<string>(2).fill(await ann.proof())],
    ["two proofs in one header", async () => `${await ann.proof()}, ${await ann.proof()}`],
    ["a giant", () => ann.proof({ pad: "a".repeat(4_096) })],
    ["a scheme before it", async () => `DPoP ${await ann.proof()}`],
    ["padding behind it", async () => `${await ann.proof()}=`],
    ["a fourth part", async () => `${await ann.proof()}.AAAA`],
    ["another signature", async () => (await ann.proof()).replace(/[^.]+$/, "A".repeat(86))],
    ["no signature", async () => (await ann.proof()).replace(/[^.]+$/, "")],
    [
      "other claims than were signed",
      async () =>
        (await ann.proof()).replace(/\.[^.]+\./, `.${encoded(JSON.stringify(ann.claims()))}.`),
    ],
    ["alg none", () => forged({ typ: "dpop+jwt", alg: "none", jwk: ann.jwk }, ann.claims())],
    ["no alg", () => forged({ typ: "dpop+jwt", jwk: ann.jwk }, ann.claims())],
    ["a shared secret", () => ann.proof({}, { alg: "HS256" }, shortSecret)],
    [
      "a secret in the header",
      () =>
        ann.proof(
          {},
          { alg: "HS256", jwk: { kty: "oct", k: encoded("a".repeat(32)) } },
          shortSecret,
        ),
    ],
    [
      "an algorithm that is not on the list",
      () => ann.proof({}, { alg: "HS512" }, Buffer.alloc(64)),
    ],
    ["no type", () => ann.proof({}, { typ: undefined })],
    ["the type of a token", () => ann.proof({}, { typ: "at+jwt" })],
    ["the type in capitals", () => ann.proof({}, { typ: "DPOP+JWT" })],
    ["the type written out", () => ann.proof({}, { typ: "application/dpop+jwt" })],
    ["no key", () => ann.proof({}, { jwk: undefined })],
    ["a key that is null", () => ann.proof({}, { jwk: null })],
    ["a key that is a text", () => ann.proof({}, { jwk: JSON.stringify(ann.jwk) })],
    ["a list of keys", () => ann.proof({}, { jwk: [ann.jwk] })],
    ["the private key", async () => ann.proof({}, { jwk: await exportJWK(ann.pair.privateKey) })],
    ["a private member that means nothing", () => ann.proof({}, { jwk: { ...ann.jwk, p: "AA" } })],
    ["another's key", () => other.proof({ ath: hashOf(ann.token) })],
    [
      "the right key in the header, signed with another",
      () => ann.proof({}, {}, other.pair.privateKey),
    ],
    [
      "the right key with another spelling of its number",
      () => ann.proof({}, { jwk: { ...ann.jwk, x: `${ann.jwk.x}=` } }),
    ],
    ["a key for encryption", () => ann.proof({}, { jwk: { ...ann.jwk, use: "enc" } })],
    ["a key for another algorithm", () => ann.proof({}, { jwk: { ...ann.jwk, alg: "ES384" } })],
    ["an extension that must be understood", () => ann.proof({}, { crit: ["exp"], exp: 1 })],
    [
      "an extension that is known to the library",
      () => ann.proof({}, { crit: ["b64"], b64: true }),
    ],
    ["claims that are a list", () => ann.proof(written((json) => `[${json}]`))],
    ["claims within claims", () => ann.proof(written((json) => `{"claims":${json}}`))],
    ["claims that are no JSON", () => ann.proof("{")],
    ["no jti", () => ann.proof({ jti: undefined })],
    ["an empty jti", () => ann.proof({ jti: "" })],
    ["a jti that is no text", () => ann.proof({ jti: 1 })],
    ["a jti that is a list", () => ann.proof({ jti: ["a"] })],
    ["a long jti", () => ann.proof({ jti: "a".repeat(257) })],
    ["no htm", () => ann.proof({ htm: undefined })],
    ["another method", () => ann.proof({ htm: "POST" })],
    ["the method in small letters", () => ann.proof({ htm: "get" })],
    ["a list of methods", () => ann.proof({ htm: ["GET"] })],
    ["the method of HTTP/2, over HTTP/1.1", () => ann.proof({ htm: "CONNECT" })],
    ["no htu", () => ann.proof({ htu: undefined })],
    ["an htu that is no text", () => ann.proof({ htu: ["https://app.example.com/chat"] })],
    ["another path", () => ann.proof({ htu: "https://app.example.com/other" })],
    ["a path below", () => ann.proof({ htu: "https://app.example.com/chat/" })],
    ["the path in capitals", () => ann.proof({ htu: "https://app.example.com/CHAT" })],
    ["a path alone", () => ann.proof({ htu: "/chat" })],
    ["another host", () => ann.proof({ htu: "https://evil.example/chat" })],
    ["a longer host", () => ann.proof({ htu: "https://app.example.com.evil.example/chat" })],
    ["a user before the host", () => ann.proof({ htu: "https://a@app.example.com/chat" })],
    ["another port", () => ann.proof({ htu: "https://app.example.com:8443/chat" })],
    ["the plain scheme", () => ann.proof({ htu: "ws://app.example.com/chat" })],
    [
      "the plain scheme on the port of TLS",
      () => ann.proof({ htu: "http://app.example.com:443/chat" }),
    ],
    ["another scheme", () => ann.proof({ htu: "ftp://app.example.com/chat" })],
    ["a scheme that Object has", () => ann.proof({ htu: "constructor://app.example.com/chat" })],
    ["the query kept", () => ann.proof({ htu: "https://app.example.com/chat?a=b" })],
    ["a fragment", () => ann.proof({ htu: "https://app.example.com/chat#a" })],
    ["a backslash for a slash", () => ann.proof({ htu: "https://app.example.com\\chat" })],
    ["a blank before the address", () => ann.proof({ htu: " https://app.example.com/chat" })],
    ["no iat", () => ann.proof({ iat: undefined })],
    ["an iat that is a text", () => ann.proof({ iat: String(seconds()) })],
    [
      "an iat that is infinite",
      () => ann.proof(written((json) => json.replace(/"iat":\d+/, '"iat":1e999'))),
    ],
    [
      "an iat before all times",
      () => ann.proof(written((json) => json.replace(/"iat":\d+/, '"iat":-1e999'))),
    ],
    ["an iat in milliseconds", () => ann.proof({ iat: Date.now() })],
    ["one that is too old", () => ann.proof(at(-62))],
    ["one of the future", () => ann.proof(at(7))],
    ["one that has ended by its own word", () => ann.proof({ exp: seconds() - 1 })],
    ["one that has not begun by its own word", () => ann.proof({ nbf: seconds() + 60 })],
    ["no ath", () => ann.proof({ ath: undefined })],
    ["the ath of another token", () => ann.proof({ ath: hashOf(other.token) })],
    ["an ath with padding", () => ann.proof({ ath: `${hashOf(ann.token)}=` })],
    ["an ath that is a list", () => ann.proof({ ath: [hashOf(ann.token)] })],
    [
      "claims twice, the wrong ones last",
      () => ann.proof(written((json) => json.replace("}", ',"htm":"POST"}'))),
    ],
    ["the access token for a proof", () => ann.token],
  ])("%s", async (_, proof) => {
    expect(await askedOf(checkOf(), presented(await proof()))).toBe("proof_invalid");
  });

  it.each<[string, HandshakeSketch]>([
    ["a name of which this server knows nothing", { headers: { host: "evil.example" } }],
    ["no name", { headers: { host: undefined } }],
    ["what is no name", { headers: { host: "a b" } }],
    ["two names", { headers: { host: ["app.example.com", "evil.example"] } }],
    ["a plain connection", { isTls: false }],
    ["forwarding headers of nobody", { isTls: false, headers: { "x-forwarded-proto": "https" } }],
  ])("%s in the handshake", async (_, sketch) => {
    const proofs = ["https://evil.example/chat", "https://app.example.com/chat"];
    for (const htu of proofs) {
      expect(await asked(ann.proof({ htu }), ann.token, sketch)).toBe("proof_invalid");
    }
  });

  it("a path that no URI has", async () => {
    const sketch = { target: "/chat|" };
    expect(
      await asked(ann.proof({ htu: "https://app.example.com/chat|" }), ann.token, sketch),
    ).toBe("proof_invalid");
  });

  it("a shorter life, as configured", async () => {
    const check = checkOf({ maxAgeSeconds: 5, futureToleranceSeconds: 0, maxProofBytes: 1_000 });
    for (const claimed of [at(-7), at(2), { pad: "a".repeat(1_000) }]) {
      expect(await askedOf(check, presented(await ann.proof(claimed)))).toBe("proof_invalid");
    }
    expect(await askedOf(check, presented(await ann.proof(at(-3))))).toBe("allow");
  });
});

describe("attacks on the token", () => {
  it.each<[string, string, () => string | Promise<string>]>([
    ["a plain token", "token_invalid", () => tokenOf()],
    ["bound to nothing", "token_invalid", () => tokenOf(claims({ cnf: {} }))],
    ["bound to null", "token_invalid", () => tokenOf(claims({ cnf: null }))],
    ["bound to a text", "token_invalid", () => tokenOf(claims({ cnf: ann.thumbprint }))],
    [
      "bound to a certificate",
      "token_invalid",
      () => tokenOf(claims({ cnf: { "x5t#S256": ann.thumbprint } })),
    ],
    [
      "bound to a key and a certificate",
      "token_invalid",
      () => tokenOf(claims({ cnf: { jkt: ann.thumbprint, "x5t#S256": ann.thumbprint } })),
    ],
    ["bound to a whole key", "token_invalid", () => tokenOf(claims({ cnf: { jwk: ann.jwk } }))],
    ["bound to a list", "token_invalid", () => tokenOf(claims({ cnf: { jkt: [ann.thumbprint] } }))],
    [
      "bound to a shorter thumbprint",
      "token_invalid",
      () => tokenOf(claims({ cnf: { jkt: ann.thumbprint.slice(1) } })),
    ],
    [
      "bound to what is no thumbprint",
      "token_invalid",
      () => tokenOf(claims({ cnf: { jkt: "/".repeat(43) } })),
    ],
    [
      "bound to another's key",
      "proof_invalid",
      () => tokenOf(claims({ cnf: { jkt: other.thumbprint } })),
    ],
    ["expired", "token_invalid", () => tokenOf(claims({ exp: 1, cnf: { jkt: ann.thumbprint } }))],
    [
      "signed by the client",
      "token_invalid",
      () => tokenOf(claims({ cnf: { jkt: ann.thumbprint } }), {}, new Uint8Array(32)),
    ],
    ["a proof for a token", "token_invalid", () => ann.proof()],
    ["no JWS", "token_invalid", () => "abc"],
  ])("%s: %s", async (_, code, token) => {
    const given = await token();
    expect(await asked(ann.proof({ ath: hashOf(given) }), given)).toBe(code);
  });

  it.each<[string, string, HandshakeSketch["headers"]]>([
    ["a bound token as bearer", "token_missing", { authorization: "Bearer" }],
    ["no token", "token_missing", { authorization: undefined }],
    ["a scheme alone", "token_malformed", { authorization: "DPoP" }],
    ["two tokens", "token_malformed", { authorization: "DPoP a, DPoP b" }],
    ["a token that is too long", "token_malformed", { authorization: `DPoP ${"a".repeat(8_193)}` }],
    [
      "a token among the subprotocols",
      "token_missing",
      {
        authorization: undefined,
        "sec-websocket-protocol": "bearer, a",
      },
    ],
  ])("%s: %s", async (_, code, headers) => {
    const bearer =
      headers?.authorization === "Bearer" ? { authorization: `Bearer ${ann.token}` } : headers;
    expect(await asked(ann.proof(), ann.token, { headers: bearer ?? {} })).toBe(code);
  });

  it("a bound token does not pass beside a check that takes bearer tokens", async () => {
    const both = any(checkOf(), jwt({ issuer, audience, keys: secret }));
    const bearer = (token: string): ReturnType<typeof handshakeOf> =>
      handshakeOf({ headers: { authorization: `Bearer ${token}` } });
    expect(await askedOf(both, bearer(await tokenOf()))).toBe("allow");
    expect(await askedOf(both, bearer(ann.token))).not.toBe("allow");
    expect(await askedOf(both, presented(await ann.proof()))).toBe("allow");
  });
});

describe("a proof is used once", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  it("whatever is sent beside it", async () => {
    const check = checkOf();
    const proof = await ann.proof();
    expect(await askedOf(check, presented(proof))).toBe("allow");
    expect(await askedOf(check, presented(proof))).toBe("proof_invalid");
    expect(await askedOf(check, presented(proof, ann.token, { target: "/chat?again" }))).toBe(
      "proof_invalid",
    );
    expect(await askedOf(check, presented(await ann.proof({ jti: "a" })))).toBe("allow");
    expect(await askedOf(check, presented(await ann.proof({ jti: "a", ...at(1) })))).toBe(
      "proof_invalid",
    );
  });

  it("by one of many at once", async () => {
    const check = checkOf();
    const proof = await ann.proof();
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => askedOf(check, presented(proof))),
    );
    expect(answers.filter((answer) => answer === "allow")).toHaveLength(1);
  });

  it("as long as it could be used at all", async () => {
    const check = checkOf();
    const early = await ann.proof(at(5));
    expect(await askedOf(check, presented(early))).toBe("allow");
    for (let elapsed = 0; elapsed < 70; elapsed++) {
      vi.advanceTimersByTime(1_000);
      expect(await askedOf(check, presented(early))).toBe("proof_invalid");
    }
  });

  it("by each client: the same jti of another key is another proof", async () => {
    const check = checkOf();
    expect(await askedOf(check, presented(await ann.proof({ jti: "a" })))).toBe("allow");
    const theirs = await other.proof({ jti: "a" });
    expect(await askedOf(check, presented(theirs, other.token))).toBe("allow");
  });

  it("and one that was refused may still be used", async () => {
    const check = checkOf();
    const proof = await ann.proof();
    expect(await askedOf(check, presented(proof, ann.token, { target: "/other" }))).toBe(
      "proof_invalid",
    );
    expect(await askedOf(check, presented(proof))).toBe("allow");
  });

  it("across checks that share a store, which is told nothing of the client", async () => {
    const claimed: unknown[][] = [];
    const memory = memoryReplayStore();
    const store = {
      claim: async (...given: Parameters<typeof memory.claim>) => {
        claimed.push(given);
        return memory.claim(...given);
      },
    };
    const proof = await ann.proof({ jti: "a" });
    expect(await askedOf(checkOf({ store }), presented(proof))).toBe("allow");
    expect(await askedOf(checkOf({ store }), presented(proof))).toBe("proof_invalid");
    expect(claimed).toEqual(new Array(2).fill([hashOf(`${ann.thumbprint}.a`), 66_000]));
  });

  it.each<[string, () => never | Promise<never>]>([
    [
      "throws",
      () => {
        throw new Error("down");
      },
    ],
    ["rejects", () => Promise.reject(new Error("down"))],
  ])("and refused, to come again, where the store %s", async (_, claim) => {
    const refusal = await checkOf({ store: { claim } })(presented(await ann.proof()));
    expect(refusal).toMatchObject({
      code: "store_failed",
      cause: new Error("down"),
      headers: [["Retry-After", "5"]],
    });
  });

  it("and refused where the store answers with what is not true", async () => {
    const store = { claim: () => "OK" as unknown as boolean };
    expect(await askedOf(checkOf({ store }), presented(await ann.proof()))).toBe("proof_invalid");
  });

  it("and refused where the store is full, until there is room", async () => {
    const check = checkOf({ store: memoryReplayStore({ maxIds: 1 }) });
    expect(await askedOf(check, presented(await ann.proof()))).toBe("allow");
    expect(await askedOf(check, presented(await ann.proof()))).toBe("store_failed");
    vi.advanceTimersByTime(66_000);
    expect(await askedOf(check, presented(await ann.proof()))).toBe("allow");
  });
});

describe("a nonce of the server (RFC 9449 §9)", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  const refusedBy = async (check: ReturnType<typeof jwt>, proof: string): Promise<Refusal> =>
    (await check(presented(proof))) as Refusal;
  const nonceFrom = ({ headers }: Refusal): string =>
    headers.find(([name]) => name === "DPoP-Nonce")?.[1] ?? "none";

  it("is given with the challenge, and goes into the next proofs", async () => {
    const check = checkOf({ nonce: {} });
    const refusal = await refusedBy(check, await ann.proof());
    const nonce = nonceFrom(refusal);
    expect([refusal.code, refusal.status, refusal.headers]).toEqual([
      "proof_nonce_required",
      401,
      [
        [
          "WWW-Authenticate",
          'DPoP realm="websocket", error="use_dpop_nonce", algs="ES256 EdDSA Ed25519"',
        ],
        ["DPoP-Nonce", nonce],
      ],
    ]);
    // RFC 9449 §8.1, NQCHAR.
    expect(nonce).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(await askedOf(check, presented(await ann.proof({ nonce })))).toBe("allow");
    expect(await askedOf(check, presented(await ann.proof({ nonce })))).toBe("allow");
    const proof = await ann.proof({ nonce });
    expect(await askedOf(check, presented(proof))).toBe("allow");
    expect(await askedOf(check, presented(proof))).toBe("proof_invalid");
  });

  it("is good for its lifetime", async () => {
    const check = checkOf({ nonce: { lifetimeSeconds: 10 } });
    const nonce = nonceFrom(await refusedBy(check, await ann.proof()));
    vi.advanceTimersByTime(9_000);
    expect(await askedOf(check, presented(await ann.proof({ nonce })))).toBe("allow");
    vi.advanceTimersByTime(1_000);
    expect(await askedOf(check, presented(await ann.proof({ nonce })))).toBe(
      "proof_nonce_required",
    );
  });

  it("is good in every process that has the secret", async () => {
    const given = { secret: new Uint8Array(32).fill(9) };
    const nonce = nonceFrom(await refusedBy(checkOf({ nonce: given }), await ann.proof()));
    const proof = await ann.proof({ nonce });
    expect(await askedOf(checkOf({ nonce: given }), presented(proof))).toBe("allow");
    expect(await askedOf(checkOf({ nonce: {} }), presented(proof))).toBe("proof_nonce_required");
  });

  it.each<[string, () => unknown]>([
    ["of another kind", () => 1],
    ["empty", () => ""],
    ["of the client's own making", () => "abc"],
    ["a token that was signed with the same secret", () => tokenOf()],
    ["without an end", () => tokenOf({}, { typ: "dpop-nonce+jwt" })],
  ])("is none that is %s", async (_, made) => {
    const proof = await ann.proof({ nonce: await made() });
    expect((await refusedBy(checkOf({ nonce: { secret } }), proof)).code).toBe(
      "proof_nonce_required",
    );
  });

  it("is not given for a proof that is wrong otherwise", async () => {
    const check = checkOf({ nonce: {} });
    expect((await refusedBy(check, await ann.proof({ htm: "POST" }))).code).toBe("proof_invalid");
  });

  it("does not pass for a token", async () => {
    const nonce = nonceFrom(await refusedBy(checkOf({ nonce: { secret } }), await ann.proof()));
    expect(await asked(ann.proof({ ath: hashOf(nonce) }), nonce)).toBe("token_invalid");
  });
});

describe("what is answered", () => {
  const refusalOf = async (proof: string | undefined, token?: string): Promise<Refusal> =>
    (await checkOf()(presented(proof, token))) as Refusal;

  it("is the same for every proof; the reason is for logs, and holds nothing of it", async () => {
    const refusals = await Promise.all([
      refusalOf(undefined),
      refusalOf(await ann.proof({ htm: "POST" })),
      refusalOf(await ann.proof({ ath: undefined })),
      refusalOf(await ann.proof({}, { typ: "jwt" })),
      refusalOf(await ann.proof({}, {}, other.pair.privateKey)),
      refusalOf(await other.proof()),
      refusalOf(await ann.proof({}, { jwk: "k" })),
    ]);
    for (const { code, status, headers, detail } of refusals) {
      expect({ code, status, headers, detail }).toEqual({
        code: "proof_invalid",
        status: 401,
        headers: [
          [
            "WWW-Authenticate",
            'DPoP realm="websocket", error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519"',
          ],
        ],
        detail: undefined,
      });
    }
    expect(refusals.map(({ reason }) => reason)).toEqual([
      "no DPoP header",
      "htm",
      "ERR_JWT_CLAIM_VALIDATION_FAILED ath",
      "typ",
      "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
      "jwk is not the key that the token is bound to",
      "not verified",
    ]);
  });

  it.each([
    ["a token that is no good", "DPoP a.b.c", ', error="invalid_token"'],
    ["what is no token", "DPoP", ', error="invalid_request"'],
    ["no token", "Basic YTpi", ""],
  ])("to %s is the challenge of RFC 9449 §7.1", async (_, authorization, error) => {
    const refusal = (await checkOf()(handshakeOf({ headers: { authorization } }))) as Refusal;
    expect(refusal.headers).toEqual([
      ["WWW-Authenticate", `DPoP realm="websocket"${error}, algs="ES256 EdDSA Ed25519"`],
    ]);
  });
});

describe("the policy", () => {
  it("is explained, and what is weaker than the default with it", () => {
    const base = { issuer, audience, keys: secret };
    const store = { claim: () => true };
    const text = guard(
      insecureAnyOrigin(),
      any(
        checkOf(),
        checkOf({ store, nonce: {} }),
        jwt({ ...base, insecureIgnoreConfirmation: true }),
      ),
    ).explain();
    expect(text).toContain(
      "from dpop; proofs by ES256, EdDSA, Ed25519 for https://app.example.com, http://localhost:8080, used once, in memory, at most 100000 ids",
    );
    expect(text).toContain("used once, with a nonce, in a store");
    expect(text).toContain(
      "! insecureIgnoreConfirmation: tokens that are bound to a key are accepted from anybody",
    );
  });

  it.each<[unknown, string]>([
    [true, '"dpop" must be an object'],
    [{}, 'jwt.dpop: "origins" is required'],
    [{ origins: [] }, '"origins" must be a non-empty list of strings'],
    [{ origins: ["https://app.example.com/"] }, '"origins" must hold origins'],
    [{ origins: ["wss://app.example.com"] }, '"origins" must hold origins'],
    [{ origins, algorithms: ["HS256"] }, "ERR_FIRMSHAKE_ALGORITHM_UNSAFE"],
    [{ origins, algorithms: ["none"] }, "ERR_FIRMSHAKE_ALGORITHM_UNSAFE"],
    [{ origins, maxAgeSeconds: 0 }, '"maxAgeSeconds" must be'],
    [{ origins, futureToleranceSeconds: -1 }, '"futureToleranceSeconds" must be'],
    [{ origins, store: {} }, "a store with a claim() function"],
    [{ origins, store: null }, "a store with a claim() function"],
    [{ origins, nonce: true }, '"nonce" must be an object'],
    [{ origins, nonce: { lifetimeSeconds: 0 } }, '"lifetimeSeconds" must be'],
    [{ origins, nonce: { secret: new Uint8Array(31) } }, "32 random bytes or more"],
    [{ origins, nonce: { secret: "a".repeat(32) } }, "32 random bytes or more"],
    [{ origins, maxAge: 1 }, "ERR_FIRMSHAKE_OPTION_UNKNOWN"],
  ])("cannot be %j", (dpop, message) => {
    const options = { issuer, audience, keys: secret, dpop } as JwtOptions;
    expect(thrownBy(() => jwt(options))).toContain(message);
  });

  it.each<Partial<JwtOptions>>([
    { from: [{ name: "x", isAmbient: false, read: () => [] }] },
    { insecureIgnoreConfirmation: true },
  ])("cannot say what makes proofs pointless: %j", (options) => {
    expect(thrownBy(() => checkOf({}, options))).toContain("ERR_FIRMSHAKE_OPTIONS_CONTRADICT");
  });
});
