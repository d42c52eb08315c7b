import {
  type ApiKeyOptions,
  type ApiKeyRecord,
  any,
  apiKey,
  type CreatedApiKey,
  cookieToken,
  createApiKey,
  guard,
  headerToken,
  insecureAnyOrigin,
  jwt,
  origin,
  queryToken,
  type Refusal,
  subprotocolToken,
} from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { areEqualBytes } from "../../../packages/core/src/parse/equal-bytes.ts";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";
import { audience, issuer, secret, tokenOf } from "../tokens/signing.ts";

let mine: CreatedApiKey;
let replaced: CreatedApiKey;
let other: CreatedApiKey;

beforeAll(async () => {
  mine = await createApiKey({ prefix: "acme_live" });
  replaced = await createApiKey({ prefix: "acme_live", id: mine.id });
  other = await createApiKey({ prefix: "acme" });
});

afterEach(() => void vi.useRealTimers());

const bearer = (key: string): HandshakeSketch => ({ headers: { authorization: `Bearer ${key}` } });
const listing = (...records: readonly Partial<ApiKeyRecord>[]): ApiKeyOptions => ({
  keys: records.map((record) => ({ id: mine.id, hash: mine.hash, subject: "billing", ...record })),
});
const refusalOf = async (options: ApiKeyOptions, sketch: HandshakeSketch): Promise<Refusal> => {
  const answer = await apiKey(options)(handshakeOf(sketch));
  if (answer.ok) throw new Error("It was allowed.");
  return answer;
};

describe("createApiKey", () => {
  it("makes a key of prefix, public id and 256 random bits", () => {
    expect(mine.key).toMatch(/^acme_live_[0-9a-f]{24}_[0-9a-f]{64}$/);
    expect(mine.key.split("_")[2]).toBe(mine.id);
    expect(mine.hash).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(Object.isFrozen(mine)).toBe(true);
  });

  it("makes another secret, and another hash, for an id that is given", () => {
    expect(replaced.id).toBe(mine.id);
    expect(replaced.key).not.toBe(mine.key);
    expect(replaced.hash).not.toBe(mine.hash);
  });

  it("keeps nothing of the secret in what is stored", () => {
    expect(mine.id + mine.hash).not.toContain(mine.key.slice(-64));
  });

  it.each<[object, string]>([
    [{}, `"prefix" is required`],
    [{ prefix: "" }, "a letter first"],
    [{ prefix: "1a" }, "a letter first"],
    [{ prefix: "a-b" }, "a letter first"],
    [{ prefix: "a".repeat(33) }, "a letter first"],
    [{ prefix: 7 }, "a letter first"],
    [{ prefix: "a", id: "" }, "1 to 64 letters and digits"],
    [{ prefix: "a", id: "a_b" }, "1 to 64 letters and digits"],
    [{ prefix: "a", id: "a".repeat(65) }, "1 to 64 letters and digits"],
  ])("rejects %j", async (options, message) => {
    await expect(createApiKey(options as { prefix: string })).rejects.toThrow(message);
  });
});

describe("apiKey", () => {
  it("adds who owns the key, and its public id", async () => {
    const check = apiKey(listing({ claims: { plan: "large" }, expiresAt: Date.now() + 60_000 }));
    const answer = await check(handshakeOf(bearer(mine.key)));
    expect(answer).toMatchObject({
      ok: true,
      facts: {
        apiKeyId: mine.id,
        identity: { subject: "billing", scheme: "apiKey", claims: { plan: "large" } },
      },
    });
    expect(answer.ok && Object.isFrozen(answer.facts.identity.claims)).toBe(true);
  });

  describe("reads the key from", () => {
    const all = [headerToken("X-API-Key"), subprotocolToken("bearer"), queryToken("key")];
    it.each<[string, (key: string) => HandshakeSketch, ApiKeyOptions["from"]]>([
      ["Authorization", bearer, undefined],
      ["X-API-Key", (key) => ({ headers: { "x-api-key": key } }), undefined],
      [
        "the subprotocols",
        (key) => ({ headers: { "sec-websocket-protocol": `bearer, ${key}, chat` } }),
        undefined,
      ],
      ["the query", (key) => ({ target: `/chat?key=${key}&a=1` }), all],
      ["a header that is named", (key) => ({ headers: { "x-key": key } }), [headerToken("X-Key")]],
    ])("%s", async (_, sketch, from) => {
      const check = apiKey({ ...listing({}), ...(from && { from }) });
      const handshake = handshakeOf(sketch(mine.key));
      expect(await askedOf(check, handshake)).toBe("allow");
      expect(JSON.stringify(rewriteOf(handshake) ?? {})).not.toContain(mine.key);
    });

    it("nowhere else", async () => {
      expect(await askedOf(apiKey(listing({})), handshakeOf())).toBe("token_missing");
      const sketch = { target: `/?key=${mine.key}`, headers: { cookie: `key=${mine.key}` } };
      expect(await askedOf(apiKey(listing({})), handshakeOf(sketch))).toBe("token_missing");
    });

    it("one place, not two", async () => {
      const sketch = { headers: { authorization: `Bearer ${mine.key}`, "x-api-key": mine.key } };
      expect(await askedOf(apiKey(listing({})), handshakeOf(sketch))).toBe("token_ambiguous");
    });
  });

  it("withholds the key also where another check refused before", async () => {
    const check = apiKey({ ...listing({}), from: [queryToken("key")] });
    const policy = guard({
      checks: [origin(["https://other.example.com"]), check],
      mode: "report",
    });
    const handshake = handshakeOf({ target: `/chat?key=${mine.key}` });
    expect((await policy.decide(handshake)).ok).toBe(true);
    expect(rewriteOf(handshake)?.target).toBe("/chat");
  });

  describe("gives one answer, whatever is wrong:", () => {
    const swapped = (digit: string): string => (digit === "0" ? "1" : "0");
    it.each<[string, () => [ApiKeyOptions, string], string]>([
      ["no key", () => [listing({}), "abc"], "not an API key"],
      ["a token of another kind", () => [listing({}), "a.b.c"], "not an API key"],
      ["a key in capitals", () => [listing({}), mine.key.toUpperCase()], "not an API key"],
      [
        "too long for a key",
        () => [listing({}), `a${mine.key.padStart(500, "a")}`],
        "not an API key",
      ],
      ["an unknown id", () => [listing({}), other.key], "no key of this id"],
      [
        "another last digit",
        () => [listing({}), mine.key.slice(0, -1) + swapped(mine.key.slice(-1))],
        "another secret",
      ],
      [
        "the secret of another id",
        () => [listing({}), mine.key.slice(0, -64) + other.key.slice(-64)],
        "another secret",
      ],
      ["another prefix", () => [listing({}), mine.key.replace("acme", "acmf")], "another secret"],
      ["an expired key", () => [listing({ expiresAt: Date.now() - 1 }), mine.key], "expired"],
      [
        "a key that was replaced",
        () => [listing({ hash: replaced.hash }), mine.key],
        "another secret",
      ],
    ])("%s", async (_, row, reason) => {
      const [options, key] = row();
      const refusal = await refusalOf(options, bearer(key));
      expect(refusal).toMatchObject({
        code: "token_invalid",
        status: 401,
        reason,
        detail: undefined,
      });
      expect(refusal.headers).toEqual([
        ["WWW-Authenticate", 'Bearer realm="websocket", error="invalid_token"'],
      ]);
      expect(JSON.stringify(refusal)).not.toContain(key);
    });
  });

  it("hashes for an unknown id what it hashes for a wrong secret", async () => {
    const digest = vi.spyOn(crypto.subtle, "digest");
    await refusalOf(listing({}), bearer(other.key));
    expect(digest).toHaveBeenCalledTimes(1);
    await refusalOf(listing({}), bearer(mine.key.slice(0, -64) + other.key.slice(-64)));
    expect(digest).toHaveBeenCalledTimes(2);
    digest.mockRestore();
  });

  describe("while a key is rotated", () => {
    const both = (expiresAt: number): ApiKeyOptions =>
      listing({ expiresAt }, { hash: replaced.hash });

    it("the old and the new are valid", async () => {
      const check = apiKey(both(Date.now() + 60_000));
      expect(await askedOf(check, handshakeOf(bearer(mine.key)))).toBe("allow");
      expect(await askedOf(check, handshakeOf(bearer(replaced.key)))).toBe("allow");
    });

    it("the old ends at its time, the new stays", async () => {
      vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
      const check = apiKey(both(1_000_500));
      expect(await askedOf(check, handshakeOf(bearer(mine.key)))).toBe("allow");
      vi.setSystemTime(1_000_500);
      expect(await askedOf(check, handshakeOf(bearer(mine.key)))).toBe("token_invalid");
      expect(await askedOf(check, handshakeOf(bearer(replaced.key)))).toBe("allow");
    });

    it("of two records with one hash the one that lasts counts", async () => {
      const check = apiKey(listing({ expiresAt: 1 }, { subject: "renewed" }));
      const answer = await check(handshakeOf(bearer(mine.key)));
      expect(answer).toMatchObject({ facts: { identity: { subject: "renewed" } } });
    });
  });

  it("does not see what is done to the list afterwards", async () => {
    const record = { id: mine.id, hash: mine.hash, subject: "billing" };
    const check = apiKey({ keys: [record] });
    record.hash = other.hash;
    expect(await askedOf(check, handshakeOf(bearer(mine.key)))).toBe("allow");
  });

  describe("that looks keys up", () => {
    it.each<[string, () => unknown]>([
      ["at once", () => ({ hash: mine.hash, subject: "billing" })],
      ["later", async () => ({ hash: mine.hash, subject: "billing" })],
      [
        "in a list",
        () => [
          { hash: other.hash, subject: "a" },
          { hash: mine.hash, subject: "b" },
        ],
      ],
    ])("takes a record that comes %s", async (_, answer) => {
      const find = vi.fn(answer as NonNullable<ApiKeyOptions["find"]>);
      const handshake = handshakeOf(bearer(mine.key));
      expect(await askedOf(apiKey({ find }), handshake)).toBe("allow");
      expect(find.mock.calls).toEqual([[mine.id, handshake]]);
    });

    it.each<[string, unknown, string]>([
      ["nothing", undefined, "token_invalid"],
      ["null", null, "token_invalid"],
      ["an empty list", [], "token_invalid"],
      ["true", true, "check_failed"],
      ["no hash", { subject: "a" }, "check_failed"],
      ["a hash of another form", { hash: "abc", subject: "a" }, "check_failed"],
      ["no subject", { hash: `sha256:${"0".repeat(64)}` }, "check_failed"],
      ["an empty subject", { hash: `sha256:${"0".repeat(64)}`, subject: "" }, "check_failed"],
      [
        "claims that are text",
        { hash: `sha256:${"0".repeat(64)}`, subject: "a", claims: "b" },
        "check_failed",
      ],
      [
        "claims that are null",
        { hash: `sha256:${"0".repeat(64)}`, subject: "a", claims: null },
        "check_failed",
      ],
      [
        "an expiry that is a date",
        { hash: `sha256:${"0".repeat(64)}`, subject: "a", expiresAt: new Date() },
        "check_failed",
      ],
      [
        "one broken record of two",
        [{ hash: `sha256:${"0".repeat(64)}`, subject: "a" }, {}],
        "check_failed",
      ],
    ])("refuses where it finds %s", async (_, answer, code) => {
      const find = (): never => answer as never;
      expect(await askedOf(apiKey({ find }), handshakeOf(bearer(mine.key)))).toBe(code);
    });

    it.each<[string, () => never | Promise<never>]>([
      [
        "throws",
        () => {
          throw new Error("down");
        },
      ],
      ["rejects", () => Promise.reject(new Error("down"))],
    ])("is out of order where the store %s", async (_, find) => {
      const refusal = await refusalOf({ find }, bearer(mine.key));
      expect(refusal).toMatchObject({
        code: "keys_unavailable",
        headers: [["Retry-After", "5"]],
        cause: { message: "down" },
      });
    });

    it("does not ask for what cannot be a key", async () => {
      const find = vi.fn();
      await refusalOf({ find }, bearer("abc"));
      expect(find).not.toHaveBeenCalled();
    });

    it("does not wait longer than the time to decide", async () => {
      const check = apiKey({ find: () => new Promise(() => undefined) });
      const signal = AbortSignal.abort(new DOMException("", "TimeoutError"));
      const policy = guard(insecureAnyOrigin(), check);
      const handshake = handshakeOf({ ...bearer(mine.key), signal });
      expect(await askedOf(policy, handshake)).toBe("decision_timeout");
    });
  });

  it("stands beside tokens in the same place", async () => {
    const policy = guard(
      origin(["https://app.example.com"]),
      any(apiKey(listing({})), jwt({ issuer, audience, keys: secret })),
    );
    expect(await askedOf(policy, handshakeOf(bearer(mine.key)))).toBe("allow");
    expect(await askedOf(policy, handshakeOf(bearer(await tokenOf())))).toBe("allow");
    expect(await askedOf(policy, handshakeOf(bearer(other.key)))).toBe("token_invalid");
  });

  it("may do without an origin check; a key in a cookie may not", () => {
    guard(insecureAnyOrigin(), apiKey(listing({})));
    const check = apiKey({ ...listing({}), from: [cookieToken("key")] });
    expect(thrownBy(() => guard(insecureAnyOrigin(), check))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
  });

  it("explains itself without hashes", () => {
    const text = guard(apiKey(listing({}, {})), apiKey({ find: () => undefined })).explain();
    expect(text).toContain(
      'apiKey: 2 given; from bearer, header "X-API-Key", subprotocol (bearer)',
    );
    expect(text).toContain("apiKey: looked up");
    expect(text).not.toContain("sha256");
  });

  it.each<[unknown, string]>([
    [undefined, "expected an options object"],
    [{}, `give either "keys" or "find"`],
    [{ keys: [{ id: "a" }], find: () => undefined }, `give either "keys" or "find"`],
    [{ keys: [] }, `"keys" must be a non-empty list`],
    [{ keys: [null] }, `"keys[0]" must have`],
    [{ keys: [{ id: "a", subject: "b", hash: "plain" }] }, `"keys[0]" must have`],
    [
      { keys: [{ id: "a_b", subject: "b", hash: `sha256:${"0".repeat(64)}` }] },
      `"keys[0]" must have`,
    ],
    [{ find: 7 }, `"find" must be a function`],
    [{ find: () => undefined, from: [] }, `"from" must be a non-empty list of token sources`],
    [{ key: [] }, `Did you mean "keys"?`],
  ])("cannot be made of %j", (options, message) => {
    expect(thrownBy(() => apiKey(options as ApiKeyOptions))).toContain(message);
  });
});

describe("bytes", () => {
  it.each<[readonly number[], readonly number[], boolean]>([
    [[1, 2, 3], [1, 2, 3], true],
    [[1, 2, 3], [1, 2, 4], false],
    [[9, 2, 3], [1, 2, 3], false],
    [[1, 2], [1, 2, 3], false],
    [[], [], true],
  ])("%j and %j are equal: %j", (left, right, isEqual) => {
    expect(areEqualBytes(Uint8Array.from(left), Uint8Array.from(right))).toBe(isEqual);
  });
});
