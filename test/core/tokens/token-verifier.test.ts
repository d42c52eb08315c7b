import { jwt, type TokenVerifierOptions, tokenVerifier } from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy } from "../../support/handshakes.ts";
import { audience, claims, forged, issuer, pairOf, seconds, secret, tokenOf } from "./signing.ts";

const options = { issuer, audience, keys: secret } as const;

describe("tokenVerifier", () => {
  it("finds the identity that jwt finds", async () => {
    const token = await tokenOf(claims({ roles: ["reader"] }));
    const answer = await jwt(options)(
      handshakeOf({ headers: { authorization: `Bearer ${token}` } }),
    );
    const identity = await tokenVerifier(options)(token);
    expect(identity).toMatchObject({ subject: "ann", scheme: "bearer" });
    expect(answer).toMatchObject({ ok: true, facts: { identity } });
    expect(Object.isFrozen(identity?.claims.roles)).toBe(true);
  });

  it.each<[string, () => unknown, Partial<TokenVerifierOptions>?]>([
    ["nothing", () => ""],
    ["what is no text", () => undefined],
    ["what is no token", () => "ann"],
    ["an expired token", () => tokenOf(claims({ exp: seconds() - 1 }))],
    ["another issuer's", () => tokenOf(claims({ iss: "https://evil.example" }))],
    ["another audience's", () => tokenOf(claims({ aud: "mail" }))],
    ["one that never ends", () => tokenOf(claims({ exp: undefined }))],
    ["one without a signature", () => forged({ alg: "none" }, claims(), "")],
    ["a forged one", () => forged({ alg: "HS256" }, claims())],
    ["another spelling of a good one", async () => `${await tokenOf()}=`],
    ["one that is too long", () => tokenOf(), { maxTokenBytes: 20 }],
  ])("answers with undefined for %s", async (_, token, changed = {}) => {
    const verify = tokenVerifier({ ...options, ...changed });
    expect(await verify((await token()) as string)).toBeUndefined();
  });

  it("remembers tokens where it is told to", async () => {
    const verify = tokenVerifier({ ...options, cache: { maxTokens: 1 } });
    const token = await tokenOf();
    expect(await verify(token)).toBe(await verify(token));
  });

  it("rejects where keys cannot be had: the token may be good", async () => {
    const pair = await pairOf("ES256");
    const verify = tokenVerifier({
      issuer,
      audience,
      jwksUri: "https://id.example.com/jwks.json",
      jwks: { fetch: () => Promise.reject(new Error("down")) },
    });
    const token = await tokenOf(claims(), { alg: "ES256", kid: pair.jwk.kid }, pair.privateKey);
    await expect(verify(token)).rejects.toMatchObject({ name: "KeysUnavailable" });
  });

  it("throws at once for what jwt throws for, and for a place to look", () => {
    expect(thrownBy(() => tokenVerifier({ issuer } as never))).toContain(
      "ERR_FIRMSHAKE_OPTION_MISSING",
    );
    const withPlace = { ...options, from: [{ name: "x", isAmbient: false, read: () => [] }] };
    expect(thrownBy(() => tokenVerifier(withPlace))).toMatch(
      /tokenVerifier: there is no option "from".*OPTION_UNKNOWN/,
    );
  });
});
