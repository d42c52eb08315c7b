import {
  type AnyCheck,
  all,
  allow,
  allowWith,
  any,
  type Check,
  guard,
  type Identity,
  jwt,
  memoryRateLimitStore,
  origin,
  type RateLimitResult,
  type RateLimitStore,
  type Refusal,
  refuse,
  type ThrottleFailuresOptions,
  throttleFailures,
} from "@firmshake/core";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { knownClients } from "../../../packages/core/src/checks/known-clients.ts";
import { claimedSubject } from "../../../packages/core/src/tokens/claimed-subject.ts";
import { askedOf, handshakeOf, thrownBy, wordOf } from "../../support/handshakes.ts";
import { audience, claims, forged, issuer, secret, tokenOf } from "../tokens/signing.ts";

const identityOf = (subject: string, given: Record<string, unknown> = {}): Identity => ({
  subject,
  scheme: "basic",
  claims: given,
  expiresAt: undefined,
});

/** Reads `name:password` from a header of its own, as the checks of many an application do. */
const passwordCheck = (): Check<{ readonly identity: Identity }> & { readonly asked: string[] } => {
  const asked: string[] = [];
  const check: Check<{ readonly identity: Identity }> = ({ headers }) => {
    const sent = headers.only("x-login");
    if (sent === undefined) return refuse("token_missing");
    asked.push(sent);
    const [name = "", password] = sent.split(":");
    return password === "right"
      ? allowWith({ identity: identityOf(name) })
      : refuse("token_invalid");
  };
  return Object.assign(check, { asked });
};
const claimedName: ThrottleFailuresOptions["subject"] = ({ headers }) =>
  headers.only("x-login")?.split(":")[0];

/** A throttle of two failures a second by a clock that the test sets, before a password. */
function throttled(
  options: Partial<ThrottleFailuresOptions> = {},
  given: AnyCheck | undefined = undefined,
) {
  const clock = { now: 0 };
  const password = passwordCheck();
  const store = memoryRateLimitStore({ now: () => clock.now });
  const check = throttleFailures(
    { limit: 2, windowMs: 1_000, store, ...options },
    given ?? password,
  );
  const ask = (login: string | undefined, peer: string | undefined = "192.0.2.1") =>
    askedOf(check, handshakeOf({ peer, headers: { "x-login": login } }));
  return { check, clock, ask, asked: password.asked };
}

const wrong = "token_invalid";
const tooMany = "rate_limited";

describe("a throttle of failures", () => {
  it("refuses after so many of them, before the check runs, and lets them go on evenly spread", async () => {
    const { ask, asked, clock } = throttled();
    expect([await ask("a:1"), await ask("a:2"), await ask("a:3")]).toEqual([wrong, wrong, tooMany]);
    expect(asked).toEqual(["a:1", "a:2"]);
    clock.now = 499;
    expect(await ask("a:4")).toBe(tooMany);
    clock.now = 500;
    expect([await ask("a:5"), await ask("a:6")]).toEqual([wrong, tooMany]);
    clock.now = 9_999;
    expect([await ask("a:7"), await ask("a:right")]).toEqual([wrong, "allow"]);
  });

  it("says when to come again", async () => {
    const { check, ask } = throttled({ name: "logins" });
    await ask("a:1");
    await ask("a:2");
    const refusal = (await check(handshakeOf({ peer: "192.0.2.1" }))) as Refusal;
    expect(refusal).toMatchObject({ code: tooMany, status: 429, retryable: true });
    expect(refusal.headers).toEqual([
      ["Retry-After", "1"],
      ["RateLimit-Policy", '"logins";q=2;w=1'],
      ["RateLimit", '"logins";r=0;t=1'],
    ]);
  });

  it("counts neither missing credentials, nor successes, nor other refusals", async () => {
    const { ask } = throttled();
    for (let count = 0; count < 9; count++) {
      expect(await ask(undefined)).toBe("token_missing");
      expect(await ask("a:right")).toBe("allow");
    }
    const denied = throttled({}, () => refuse("forbidden"));
    for (let count = 0; count < 9; count++) expect(await denied.ask("a:1")).toBe("forbidden");
  });

  it("takes nothing back for a success: one's own account would pay for guesses at others", async () => {
    const { ask } = throttled();
    const words = [await ask("a:1"), await ask("mine:right"), await ask("a:2"), await ask("a:3")];
    expect(words).toEqual([wrong, "allow", wrong, tooMany]);
  });

  it.each([
    { peer: "192.0.2.1", other: "192.0.2.2", isSame: false },
    { peer: "2001:db8::1", other: "2001:db8:0:ff::9", isSame: true },
    { peer: "2001:db8::1", other: "2001:db8:0:100::1", isSame: false },
    { peer: "::ffff:192.0.2.1", other: "192.0.2.1", isSame: true },
  ])("counts $peer and $other together: $isSame", async ({ peer, other, isSame }) => {
    const { ask } = throttled({ limit: 1 });
    expect(await ask("a:1", peer)).toBe(wrong);
    expect(await ask("a:1", other)).toBe(isSame ? tooMany : wrong);
  });

  it("refuses whose address cannot be told", async () => {
    const check = throttleFailures({ limit: 1, windowMs: 1_000 }, () => allow);
    expect(await askedOf(check, handshakeOf({ peer: undefined }))).toBe("address_unknown");
  });

  it("counts a wrong credential although another way has a more telling refusal", async () => {
    const denied: Check = all(
      () => allowWith({ identity: identityOf("mine") }),
      () => refuse("forbidden"),
    );
    const { ask } = throttled({ limit: 1 }, any(passwordCheck(), denied));
    expect([await ask("a:1"), await ask("a:2")]).toEqual(["forbidden", tooMany]);
  });

  it("counts no wrong credential where another way is open", async () => {
    const { ask } = throttled(
      { limit: 1 },
      any(passwordCheck(), () => allow),
    );
    expect([await ask("a:1"), await ask("a:2")]).toEqual(["allow", "allow"]);
  });

  it("is a part of the policy as its check is: posture, order, facts, trail and explain()", async () => {
    const settings = { issuer, audience, keys: secret };
    const policy = guard(
      throttleFailures({ limit: 5, windowMs: 60_000, subject: "claimed" }, jwt(settings)),
      origin(["https://app.example.com"]),
    );
    expect(policy.explain()).toBe(
      [
        "guard",
        "├─ handshake: RFC 6455 §4.2.1, by the letter",
        "├─ origin: https://app.example.com",
        "└─ throttleFailures: 5 in 60 s by address and by subject, in memory, at most 100000 keys",
        "   └─ jwt: issuer https://id.example.com; audience chat; algorithms HS256; keys given; from bearer, subprotocol",
      ].join("\n"),
    );
    const headers = { authorization: `Bearer ${await tokenOf()}` };
    const verdict = await policy.decide(handshakeOf({ headers }));
    expect(verdict).toMatchObject({ ok: true, facts: { identity: { subject: "ann" } } });
    expect(verdict.trail.map(({ check, depth }) => `${depth} ${check}`)).toEqual([
      "0 origin",
      "1 jwt",
      "0 throttleFailures",
    ]);
  });

  it("verifies no signature once there were too many", async () => {
    const verify = vi.spyOn(crypto.subtle, "verify");
    const check = throttleFailures(
      { limit: 2, windowMs: 60_000 },
      jwt({ issuer, audience, keys: secret }),
    );
    const headers = { authorization: `Bearer ${forged({ alg: "HS256" }, claims())}` };
    const words: string[] = [];
    for (let count = 0; count < 9; count++)
      words.push(await askedOf(check, handshakeOf({ headers })));
    expect(words).toEqual([wrong, wrong, ...Array(7).fill(tooMany)]);
    expect(verify).toHaveBeenCalledTimes(2);
    verify.mockRestore();
  });
});

describe("by subject", () => {
  const subject = claimedName;

  it("counts guesses at one subject from wherever they come", async () => {
    const { ask } = throttled({ subject });
    const words = [
      await ask("ann:1", "192.0.2.1"),
      await ask("ann:2", "192.0.2.2"),
      await ask("ann:3", "192.0.2.3"),
      await ask("bob:1", "192.0.2.4"),
    ];
    expect(words).toEqual([wrong, wrong, tooMany, wrong]);
  });

  it("lets nobody be kept out where he was authenticated before", async () => {
    const { ask } = throttled({ subject });
    expect(await ask("ann:right", "198.51.100.1")).toBe("allow");
    for (const last of [1, 2, 3, 4]) await ask("ann:1", `192.0.2.${last}`);
    expect(await ask("ann:right", "203.0.113.1")).toBe(tooMany);
    expect(await ask("ann:right", "198.51.100.1")).toBe("allow");
  });

  it("counts at a known address as well, by itself", async () => {
    const { ask } = throttled({ subject });
    await ask("ann:right", "198.51.100.1");
    const words = [await ask("ann:1", "198.51.100.1"), await ask("ann:2", "198.51.100.1")];
    expect([...words, await ask("ann:right", "198.51.100.1")]).toEqual([wrong, wrong, tooMany]);
    expect(await ask("ann:1", "192.0.2.1")).toBe(wrong);
  });

  it.each<[string, Check]>([
    ["another was authenticated", () => allowWith({ identity: identityOf("mallory") })],
    ["nobody was authenticated", () => allow],
  ])("knows nobody by a claim where %s", async (_, otherWay) => {
    const way: Check = (handshake) =>
      handshake.path === "/other" ? otherWay(handshake) : refuse("forbidden");
    const { check, ask } = throttled({ subject, limit: 1 }, any(way, passwordCheck()));
    const headers = { "x-login": "ann:1" };
    expect(await askedOf(check, handshakeOf({ target: "/other", headers }))).toBe("allow");
    expect(await ask("ann:1", "192.0.2.1")).toBe(wrong);
    expect(await ask("ann:1", "203.0.113.7")).toBe(tooMany);
  });

  it.each<[string, unknown, string]>([
    ["names nobody", () => undefined, wrong],
    ["names somebody at length", () => "a".repeat(257), "rate_key_invalid"],
    ["answers with a number", () => 1, "rate_key_invalid"],
    ["answers later", async () => "ann", "rate_key_invalid"],
  ])("a function that %s", async (_, read, word) => {
    const { ask } = throttled({ subject: read as () => string });
    expect(await ask("ann:1")).toBe(word);
  });

  it("of a token is what it claims, and is known by what was verified", async () => {
    const check = throttleFailures(
      { limit: 1, windowMs: 60_000, subject: "claimed" },
      any(
        jwt({ issuer: "https://partner.example", audience, keys: secret }),
        jwt({ issuer, audience, keys: secret }),
      ),
    );
    const ask = (token: string, peer: string): Promise<string> =>
      askedOf(check, handshakeOf({ peer, headers: { authorization: `Bearer ${token}` } }));
    const good = await tokenOf();
    const bad = forged({ alg: "HS256" }, claims());
    expect(await ask(good, "198.51.100.1")).toBe("allow");
    expect(await ask(bad, "192.0.2.1")).toBe(wrong);
    expect(await ask(bad, "192.0.2.2")).toBe(tooMany);
    expect(await ask(good, "203.0.113.1")).toBe(tooMany);
    expect(await ask(good, "198.51.100.1")).toBe("allow");
    expect(await ask(await tokenOf(claims({ sub: "bob" })), "203.0.113.1")).toBe("allow");
    expect(await ask("no.token", "203.0.113.2")).toBe(wrong);
    expect(await ask("=", "203.0.113.3")).toBe("token_malformed");
  });

  it("goes with a check that can tell it, or with a function", () => {
    const claimed = { limit: 1, windowMs: 1, subject: "claimed" } as const;
    expect(thrownBy(() => throttleFailures(claimed, () => allow))).toBe(
      `ConfigError: throttleFailures: subject: "claimed" goes with jwt({...}); for a check of your own, give a function of the handshake. (ERR_FIRMSHAKE_OPTIONS_CONTRADICT)`,
    );
  });
});

describe("the subject that a token claims", () => {
  const payload = (value: unknown): string =>
    `e30.${Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")}.AAAA`;

  it.each<[string, string, string | undefined]>([
    ["issuer and subject", payload({ iss: "i", sub: "s" }), "1 i s"],
    ["the longest", payload({ iss: "i", sub: "s".repeat(252) }), `1 i ${"s".repeat(252)}`],
    ["a longer one", payload({ iss: "i", sub: "s".repeat(253) }), undefined],
    ["no issuer", payload({ sub: "s" }), undefined],
    ["no subject", payload({ iss: "i" }), undefined],
    ["a subject that is no text", payload({ iss: "i", sub: 1 }), undefined],
    ["one that is inherited", payload('{"__proto__":{"iss":"i","sub":"s"}}'), undefined],
    ["a list", payload([]), undefined],
    ["a text", payload('"s"'), undefined],
    ["null", payload("null"), undefined],
    ["no JSON", payload("{"), undefined],
    ["no UTF-8", "e30._w.AAAA", undefined],
    ["two parts", "e30.e30", undefined],
    ["another spelling", "e30.e31.AAAA", undefined],
  ])("%s", (_, token, claimed) => {
    expect(claimedSubject(token)).toBe(claimed);
  });

  it("is in the claim that jwt was told", () => {
    expect(claimedSubject(payload({ iss: "i", sub: "s", uid: "u" }), "uid")).toBe("1 i u");
  });

  it("is something or nothing, whatever is sent", () => {
    const texts = fc.oneof(fc.string(), fc.json().map(payload), fc.string().map(payload));
    fc.assert(
      fc.property(texts, (token) => (claimedSubject(token)?.length ?? 0) <= 256),
      { numRuns: 500 },
    );
  });
});

describe("the store of a throttle", () => {
  const plenty: RateLimitResult = {
    isAllowed: true,
    remaining: 1,
    retryAfterMs: 0,
    resetAfterMs: 0,
  };
  const nothingLeft: RateLimitResult = { ...plenty, isAllowed: false, remaining: 0 };
  const throwing = (): never => {
    throw new Error("down");
  };
  const rejecting = (): Promise<never> => Promise.reject(new Error("down"));
  const asked = (store: RateLimitStore, signal?: AbortSignal): Promise<string> => {
    const { check } = throttled({ store, subject: claimedName });
    const headers = { "x-login": "ann:1" };
    return askedOf(check, handshakeOf({ headers, ...(signal && { signal }) }));
  };

  it.each<[string, RateLimitStore, string]>([
    ["answers later", { peek: async () => plenty, take: async () => plenty }, wrong],
    ["refuses later", { peek: async () => nothingLeft, take: () => plenty }, tooMany],
    ["is over its limit when it counts", { peek: () => plenty, take: () => nothingLeft }, wrong],
    ["throws when it is asked", { peek: throwing, take: () => plenty }, "store_failed"],
    ["rejects when it is asked", { peek: rejecting, take: () => plenty }, "store_failed"],
    ["throws when it counts", { peek: () => plenty, take: throwing }, "store_failed"],
    ["rejects when it counts", { peek: () => plenty, take: rejecting }, "store_failed"],
  ])("that %s", async (_, store, word) => {
    expect(await asked(store)).toBe(word);
  });

  it("is asked for each key, and told of failures alone", async () => {
    const take = vi.fn(() => plenty);
    const peek = vi.fn(() => plenty);
    const { ask } = throttled({ store: { take, peek }, subject: claimedName });
    const rule = { limit: 2, windowMs: 1_000 };
    await ask("ann:right");
    expect(take).not.toHaveBeenCalled();
    await ask("ann:1");
    await ask("bob:1");
    expect(peek.mock.calls).toEqual([
      ["failures:address:192.0.2.1", rule],
      ["failures:subject:ann", rule],
      ["failures:address:192.0.2.1", rule],
      ["failures:known:192.0.2.1 ann", rule],
      ["failures:address:192.0.2.1", rule],
      ["failures:subject:bob", rule],
    ]);
    expect(take.mock.calls).toEqual(peek.mock.calls.slice(2));
  });

  it("that answers after the client has left starts no check", async () => {
    const leaving = new AbortController();
    const check = vi.fn(() => allow);
    const store = {
      take: () => plenty,
      peek: async () => {
        leaving.abort();
        return plenty;
      },
    };
    const throttle = throttleFailures({ limit: 1, windowMs: 1, store }, check);
    const answer = await throttle(handshakeOf({ signal: leaving.signal }));
    expect(wordOf(answer)).toBe("client_gone");
    expect(check).not.toHaveBeenCalled();
  });

  it("stays synchronous where the store and the check are", () => {
    const { check } = throttled();
    expect(check(handshakeOf({ headers: { "x-login": "a:1" } }))).toMatchObject({ code: wrong });
  });
});

describe("what is no throttle", () => {
  const check: Check = () => allow;
  it.each<[string, object, string, string]>([
    ["no limit", { windowMs: 1 }, "ERR_FIRMSHAKE_OPTION_MISSING", '"limit" is required'],
    ["no window", { limit: 1 }, "ERR_FIRMSHAKE_OPTION_MISSING", '"windowMs" is required'],
    [
      "another subject",
      { limit: 1, windowMs: 1, subject: "kid" },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"subject" must be "claimed", or a function',
    ],
    [
      "a store that takes nothing",
      { limit: 1, windowMs: 1, store: null },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a store with take() and peek() functions",
    ],
    [
      "a store that cannot be asked",
      { limit: 1, windowMs: 1, store: { take: () => undefined } },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"store" needs a peek() function beside take()',
    ],
    [
      "a name of two words",
      { limit: 1, windowMs: 1, name: "a b" },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"name" must be one token',
    ],
  ])("%s", (_, options, code, fix) => {
    const message = thrownBy(() => throttleFailures(options as ThrottleFailuresOptions, check));
    expect(message).toContain(code);
    expect(message).toContain(fix);
  });

  it("one without a check", () => {
    const nothing = undefined as unknown as Check;
    expect(thrownBy(() => throttleFailures({ limit: 1, windowMs: 1 }, nothing))).toContain(
      "ERR_FIRMSHAKE_CHECK_INVALID",
    );
  });

  it("another of one name in one store", () => {
    const store = memoryRateLimitStore();
    throttleFailures({ limit: 1, windowMs: 1, store }, check);
    expect(thrownBy(() => throttleFailures({ limit: 1, windowMs: 1, store }, check))).toContain(
      "use one throttleFailures(...) in both",
    );
  });
});

describe("whatever the attempts", () => {
  const attempts = fc.array(
    fc.record({
      waitMs: fc.nat(400),
      name: fc.constantFrom("ann", "bob"),
      password: fc.constantFrom("wrong", "wrong", "right"),
      address: fc.integer({ min: 1, max: 4 }),
    }),
    { maxLength: 80 },
  );

  it("of one address no more fail than the limit and its share of the time", async () => {
    await fc.assert(
      fc.asyncProperty(attempts, fc.boolean(), async (list, bySubject) => {
        const { ask, clock } = throttled(bySubject ? { subject: claimedName } : {});
        const failed = new Map<number, number>();
        for (const { waitMs, name, password, address } of list) {
          clock.now += waitMs;
          const word = await ask(`${name}:${password}`, `192.0.2.${address}`);
          if (word !== wrong) continue;
          const count = (failed.get(address) ?? 0) + 1;
          failed.set(address, count);
          expect(count).toBeLessThanOrEqual(2 + clock.now / 500 + 0.01);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("strangers keep nobody out at his own address", async () => {
    await fc.assert(
      fc.asyncProperty(attempts, async (list) => {
        const { ask, clock } = throttled({ subject: claimedName });
        expect(await ask("ann:right", "198.51.100.1")).toBe("allow");
        for (const { waitMs, password, address } of list) {
          clock.now += waitMs;
          await ask(`ann:${password}`, `192.0.2.${address}`);
          expect(await ask("ann:right", "198.51.100.1")).toBe("allow");
        }
      }),
      { numRuns: 200 },
    );
  });

  it("clients are remembered within bounds, the oldest forgotten first", () => {
    const known = knownClients(2);
    for (const client of ["a", "b", "a", "c"]) known.add(client);
    expect(["a", "b", "c"].map(known.has)).toEqual([true, false, true]);
  });
});
