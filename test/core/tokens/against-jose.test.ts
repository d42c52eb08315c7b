import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { jwt } from "@firmshake/core";
import fc from "fast-check";
import {
  base64url,
  calculateJwkThumbprint,
  decodeJwt,
  decodeProtectedHeader,
  EmbeddedJWK,
  jwtVerify,
} from "jose";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeBase64url, encodeBase64url } from "../../../packages/core/src/parse/base64url.ts";
import { claimedSubject } from "../../../packages/core/src/tokens/claimed-subject.ts";
import { askedOf, handshakeOf } from "../../support/handshakes.ts";
import { hashOf, proverOf } from "./proving.ts";
import { audience, claims, issuer, seconds, secret, tokenOf } from "./signing.ts";

/** What of ours reads tokens is held to what jose makes of them: never laxer, and stricter only where it is said. */

const encoded = (text: string): string => Buffer.from(text).toString("base64url");
/** By Buffer, and so by neither of the two. */
const isCanonical = (token: string): boolean =>
  token.split(".").every((part) => Buffer.from(part, "base64url").toString("base64url") === part);
const isTrue = (promise: Promise<unknown>): Promise<boolean> =>
  promise.then(
    () => true,
    () => false,
  );

const check = jwt({ issuer, audience, keys: secret });
const isAllowed = async (token: string): Promise<boolean> =>
  (await askedOf(check, handshakeOf({ headers: { authorization: `Bearer ${token}` } }))) ===
  "allow";
const isVerified = (token: string): Promise<boolean> =>
  isTrue(
    jwtVerify(token, secret, {
      issuer,
      audience,
      algorithms: ["HS256"],
      requiredClaims: ["exp"],
    }),
  );

/** What is good, and now and then something else: else nothing would ever be let in. */
const mostly = <Good, const Others extends readonly unknown[]>(
  good: Good,
  ...others: Others
): fc.Arbitrary<Good | Others[number]> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(good) },
    { weight: 2, arbitrary: fc.constantFrom<Others[number][]>(...others) },
  );

/** Signed by the right secret, whatever the header says. */
function signed(header: string, payload: string): string {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a token", () => {
  it("in any other spelling is let in where jose verifies it and its letters are the canonical ones", async () => {
    const good = await tokenOf();
    const edit = fc.record({
      at: fc.nat(good.length),
      removed: fc.nat(2),
      added: fc.string({ unit: fc.constantFrom(..."AQgwE_-+/=. \n\té0"), maxLength: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { maxLength: 2 }), async (edits) => {
        const token = edits.reduce(
          (text, { at, removed, added }) => text.slice(0, at) + added + text.slice(at + removed),
          good,
        );
        expect(await isAllowed(token)).toBe((await isVerified(token)) && isCanonical(token));
      }),
      { numRuns: 500 },
    );
  });

  it("with spare bits, padding or another alphabet is one that jose verifies, and is refused", async () => {
    const good = await tokenOf();
    const last = good.slice(-1);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const withSpareBits = good.slice(0, -1) + alphabet.charAt(alphabet.indexOf(last) ^ 1);
    for (const token of [withSpareBits, `${good}=`]) {
      expect([await isVerified(token), await isAllowed(token)]).toEqual([true, false]);
    }
  });

  it("of any header and claims is let in where jose verifies it and our own rules hold", async () => {
    const now = seconds();
    const time = (good: unknown): fc.Arbitrary<unknown> =>
      mostly(good, now + 300, now - 300, now, `${now + 300}`, null, -1);
    const changes = fc.record({
      iss: mostly(issuer, `${issuer}/`, [issuer], "", null, undefined),
      aud: mostly(audience, [audience], ["x", audience], ["x"], [], "", null, undefined),
      sub: mostly("ann", "", 1, ["ann"], null, undefined),
      exp: time(now + 300),
      nbf: time(undefined),
      iat: time(now),
      cnf: mostly(undefined, {}, { jkt: "x" }, null),
    });
    const headers = fc.record({
      alg: mostly("HS256", "HS512", "none", "hs256", "RS256", null, undefined),
      typ: mostly(undefined, "JWT", "jwt", "at+jwt", "application/at+jwt", "x", 1, ""),
      crit: mostly(undefined, ["exp"], [], "exp"),
      b64: mostly(undefined, true, false),
      kid: mostly(undefined, "k1", 1),
      jwk: mostly(undefined, { kty: "oct", k: "AAAA" }),
    });
    let allowed = 0;
    await fc.assert(
      fc.asyncProperty(changes, headers, async (changed, header) => {
        const payload = claims(changed);
        const token = signed(JSON.stringify(header), JSON.stringify(payload));
        const isOurs =
          ["undefined", "JWT", "jwt", "at+jwt", "application/at+jwt"].includes(
            String(header.typ),
          ) &&
          changed.cnf === undefined &&
          typeof payload.sub === "string" &&
          payload.sub !== "";
        const isLetIn = await isAllowed(token);
        if (isLetIn) allowed++;
        expect(isLetIn).toBe((await isVerified(token)) && isOurs);
      }),
      { numRuns: 1_000 },
    );
    expect(allowed).toBeGreaterThan(0);
  });

  it("that jose takes for one without an end is refused", async () => {
    const payload = JSON.stringify(claims()).replace(/"exp":\d+/, '"exp":1e999');
    const token = signed(`{"alg":"HS256"}`, payload);
    expect([await isVerified(token), await isAllowed(token)]).toEqual([true, false]);
  });
});

describe("the subject that a token claims", () => {
  const inJose = (token: string): string | undefined => {
    try {
      const { iss, sub } = decodeJwt(token);
      if (typeof iss !== "string" || typeof sub !== "string") return undefined;
      const claimed = `${iss.length} ${iss} ${sub}`;
      return claimed.length <= 256 ? claimed : undefined;
    } catch {
      return undefined;
    }
  };
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constant("s".repeat(200)),
    fc.jsonValue(),
  );
  const payload = fc.oneof(
    fc.record({ iss: value, sub: value }, { requiredKeys: [] }).map((one) => JSON.stringify(one)),
    fc.json(),
    fc.constantFrom('{"iss":"a","sub":"b","sub":"c"}', '{"__proto__":{"iss":"a","sub":"b"}}'),
  );

  it("is the one that jose reads", () => {
    fc.assert(
      fc.property(payload, (text) => {
        const token = `e30.${encoded(text)}.AAAA`;
        expect(claimedSubject(token)).toBe(inJose(token));
      }),
      { numRuns: 1_000 },
    );
  });

  it("is no other, whatever bytes and letters there are", () => {
    const part = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("base64url")),
      fc.uint8Array().map((bytes) => encoded(`{"iss":"i","sub":"${Buffer.from(bytes)}"}`)),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const token = parts.join(".");
        const claimed = claimedSubject(token);
        if (claimed !== undefined) expect(claimed).toBe(inJose(token));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("base64url", () => {
  it("is written as jose writes it", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(encodeBase64url(bytes)).toBe(base64url.encode(bytes));
      }),
    );
  });

  it("that is read is read as jose reads it", () => {
    const text = fc.oneof(fc.string({ unit: "grapheme" }).map(encoded), fc.string());
    fc.assert(
      fc.property(text, (spelled) => {
        const decoded = decodeBase64url(spelled);
        if (decoded !== undefined) {
          expect(Buffer.from(decoded)).toEqual(Buffer.from(base64url.decode(spelled)));
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("a proof of possession", () => {
  it("is taken where jose verifies it by its own key, and that is the token's, and it says what it must", async () => {
    const [ann, thief] = await Promise.all([proverOf(), proverOf()]);
    const { privateKey, jwk } = ann.pair;
    const privateJwk = { ...ann.jwk, d: "AAAA" };
    const address = "https://app.example.com/chat";
    const now = seconds();
    const changes = fc.record({
      jti: mostly("a", "", 1, null, undefined),
      htm: mostly("GET", "POST", "get", null, undefined),
      htu: mostly(address, `${address}/`, "https://x.example/chat", null, undefined),
      iat: mostly(now, now - 30, now + 3, now - 300, now + 300, `${now}`, null, undefined),
      ath: mostly(hashOf(ann.token), hashOf("x"), null, undefined),
      exp: mostly(undefined, now + 300, now - 300),
      nbf: mostly(undefined, now - 300, now + 300),
    });
    const headers = fc.record({
      typ: mostly("dpop+jwt", "JWT", "DPoP+jwt", "application/dpop+jwt", null, undefined),
      jwk: mostly(ann.jwk, thief.jwk, privateJwk, { ...ann.jwk, kid: "k" }, null, undefined),
      kid: mostly(undefined, jwk.kid),
    });
    const key = mostly(privateKey, thief.pair.privateKey);
    const options = { issuer, audience, keys: secret };
    let allowed = 0;

    const isProven = async (proof: string): Promise<boolean> => {
      const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
        algorithms: ["ES256"],
        typ: "dpop+jwt",
        maxTokenAge: 60,
        clockTolerance: 5,
        requiredClaims: ["jti", "htm", "htu", "ath"],
      });
      const { jti, htm, htu, ath } = payload;
      return (
        (await calculateJwkThumbprint(protectedHeader.jwk ?? {})) === ann.thumbprint &&
        typeof jti === "string" &&
        jti !== "" &&
        htm === "GET" &&
        htu === address &&
        ath === hashOf(ann.token)
      );
    };

    await fc.assert(
      fc.asyncProperty(changes, headers, key, async (changed, header, signer) => {
        const proof = await ann.proof(changed, header, signer);
        const { typ, jwk: embedded } = decodeProtectedHeader(proof);
        // The letters of RFC 9449 §4.2, and no private key, which jose would pass over.
        const isOurs = typ === "dpop+jwt" && !("d" in (embedded ?? {}));
        const proving = jwt({ ...options, dpop: { origins: ["https://app.example.com"] } });
        const answer = await askedOf(
          proving,
          handshakeOf({ headers: { authorization: `DPoP ${ann.token}`, dpop: proof } }),
        );
        if (answer === "allow") allowed++;
        expect(answer === "allow").toBe((await isProven(proof).catch(() => false)) && isOurs);
      }),
      { numRuns: 600 },
    );
    expect(allowed).toBeGreaterThan(0);
  });
});
