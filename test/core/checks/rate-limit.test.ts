import {
  allow,
  allowWith,
  type Check,
  guard,
  memoryRateLimitStore,
  origin,
  type RateLimitOptions,
  type RateLimitResult,
  type RateLimitStore,
  type Refusal,
  rateLimit,
  refuse,
  trustedProxies,
} from "@firmshake/core";
import { describe, expect, it, vi } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

/** A limit by a clock that the test sets. */
function limited(options: Partial<RateLimitOptions> = {}): {
  readonly check: Check;
  readonly clock: { now: number };
  readonly ask: (sketch?: HandshakeSketch) => Promise<string>;
} {
  const clock = { now: 0 };
  const store = memoryRateLimitStore({ now: () => clock.now });
  const check = rateLimit({ limit: 2, windowMs: 1_000, store, ...options });
  return { check, clock, ask: (sketch) => askedOf(check, handshakeOf(sketch)) };
}

/** A store that writes down what it is asked. */
function spying(
  answer: () => RateLimitResult | Promise<RateLimitResult>,
): RateLimitStore & { readonly keys: string[] } {
  const keys: string[] = [];
  return {
    keys,
    take: (key) => {
      keys.push(key);
      return answer();
    },
  };
}
const plenty: RateLimitResult = { isAllowed: true, remaining: 1, retryAfterMs: 0, resetAfterMs: 0 };
const nothingLeft: RateLimitResult = {
  isAllowed: false,
  remaining: 0,
  retryAfterMs: 1_500,
  resetAfterMs: 9_001,
};

describe("a rate limit", () => {
  it("lets through bursts up to the limit, then evenly spread", async () => {
    const { ask, clock } = limited();
    expect([await ask(), await ask(), await ask()]).toEqual(["allow", "allow", "rate_limited"]);
    clock.now = 499;
    expect(await ask()).toBe("rate_limited");
    clock.now = 500;
    expect([await ask(), await ask()]).toEqual(["allow", "rate_limited"]);
    clock.now = 9_999;
    expect([await ask(), await ask(), await ask()]).toEqual(["allow", "allow", "rate_limited"]);
  });

  it("counts each client by itself", async () => {
    const { ask } = limited({ limit: 1 });
    expect(await ask({ peer: "192.0.2.1" })).toBe("allow");
    expect(await ask({ peer: "192.0.2.1" })).toBe("rate_limited");
    expect(await ask({ peer: "192.0.2.2" })).toBe("allow");
  });

  it("counts in a memory of its own where no store is given", async () => {
    const [first, second] = [1, 2].map(() => rateLimit({ limit: 1, windowMs: 60_000 }));
    const ask = (check: Check = () => refuse("forbidden")): Promise<string> =>
      askedOf(check, handshakeOf());
    expect([await ask(first), await ask(first), await ask(second)]).toEqual([
      "allow",
      "rate_limited",
      "allow",
    ]);
  });

  it("decides synchronously with a synchronous store", () => {
    expect(limited().check(handshakeOf())).toBe(allow);
  });

  it("refuses with when to come again, in whole seconds that are long enough", async () => {
    const store = spying(() => nothingLeft);
    const refusal = (await rateLimit({ limit: 30, windowMs: 60_500, store, name: "chat" })(
      handshakeOf(),
    )) as Refusal;
    expect(refusal.retryable).toBe(true);
    expect(refusal.headers).toEqual([
      ["Retry-After", "2"],
      ["RateLimit-Policy", '"chat";q=30;w=61'],
      ["RateLimit", '"chat";r=0;t=10'],
    ]);
  });

  it("never says to come again at once", async () => {
    const store = spying(() => ({ ...nothingLeft, retryAfterMs: 0, resetAfterMs: 0 }));
    const refusal = (await rateLimit({ limit: 1, windowMs: 1, store })(handshakeOf())) as Refusal;
    expect(refusal.headers).toContainEqual(["Retry-After", "1"]);
  });
});

describe("the key", () => {
  const keyOf = async (
    options: Partial<RateLimitOptions>,
    sketch: HandshakeSketch = {},
    before: Check = () => allow,
  ): Promise<readonly string[] | string> => {
    const store = spying(() => plenty);
    const listed = origin(["https://app.example.com"]);
    const checks = [listed, before, rateLimit({ limit: 1, windowMs: 1_000, store, ...options })];
    const word = await askedOf(guard({ checks, order: "written" }), handshakeOf(sketch));
    return word === "allow" ? store.keys : word;
  };
  const identified =
    (subject: string, claims: Record<string, unknown> = {}): Check =>
    () =>
      allowWith({ identity: { subject, claims, scheme: "test", expiresAt: undefined } });

  it.each<[string, string | undefined, object, unknown]>([
    ["an IPv4 address", "192.0.2.1", {}, ["handshakes:192.0.2.1"]],
    ["a mapped address is IPv4", "::ffff:192.0.2.1", {}, ["handshakes:192.0.2.1"]],
    [
      "an IPv6 prefix of 56 bits",
      "2001:db8:0:ffff:1::1",
      {},
      ["handshakes:20010db8:ff00:0:0/56".replace("20010db8", "20010db8")],
    ],
    [
      "an IPv6 prefix of 64 bits",
      "2001:db8:0:ffff:1::1",
      { ipv6PrefixBits: 64 },
      ["handshakes:20010db8:ffff:0:0/64"],
    ],
    [
      "a whole IPv6 address",
      "2001:db8::1",
      { ipv6PrefixBits: 128 },
      ["handshakes:20010db8:0:0:1/128"],
    ],
    ["no address", undefined, {}, "address_unknown"],
  ])("by address: %s", async (_, peer, options, expected) => {
    expect(await keyOf(options, { peer })).toEqual(expected);
  });

  it("by address is the client's behind a trusted proxy, and cannot be chosen by others", async () => {
    const headers = { "x-forwarded-for": "192.0.2.1" };
    const trust = trustedProxies(["10.0.0.1"]);
    expect(await keyOf({}, { trust, peer: "10.0.0.1", headers })).toEqual(["handshakes:192.0.2.1"]);
    expect(await keyOf({}, { trust, peer: "192.0.2.9", headers })).toEqual([
      "handshakes:192.0.2.9",
    ]);
  });

  it("by identity is issuer and subject", async () => {
    expect(
      await keyOf({ key: "identity", name: "user" }, {}, identified("ann", { iss: "https://id" })),
    ).toEqual(["user:10 https://id ann"]);
    expect(await keyOf({ key: "identity" }, {}, identified("ann", { iss: 1 }))).toEqual([
      "handshakes:0  ann",
    ]);
    expect(await keyOf({ key: "identity" })).toBe("rate_key_invalid");
    expect(await keyOf({ key: "identity" }, {}, identified("a".repeat(257)))).toBe(
      "rate_key_invalid",
    );
  });

  it.each<[string, () => unknown, unknown]>([
    ["a text", () => "room", ["handshakes:room"]],
    ["the longest text", () => "a".repeat(256), [`handshakes:${"a".repeat(256)}`]],
    ["a longer text", () => "a".repeat(257), "rate_key_invalid"],
    ["nothing", () => undefined, "rate_key_invalid"],
    ["a number", () => 1, "rate_key_invalid"],
    ["a promise", async () => "room", "rate_key_invalid"],
    [
      "an exception",
      () => {
        throw new Error("a bug");
      },
      "check_failed",
    ],
  ])("by a function that answers %s", async (_, key, expected) => {
    expect(await keyOf({ key: key as () => string })).toEqual(expected);
  });
});

describe("a store", () => {
  it.each<[string, () => unknown, string]>([
    ["answers later", async () => plenty, "allow"],
    ["refuses later", async () => nothingLeft, "rate_limited"],
    [
      "throws",
      () => {
        throw new Error("down");
      },
      "store_failed",
    ],
    ["rejects", () => Promise.reject(new Error("down")), "store_failed"],
    ["answers with nothing", () => undefined, "check_failed"],
    ["answers with nothing later", async () => undefined, "check_failed"],
    ["answers with something like true", () => ({ ...plenty, isAllowed: 1 }), "rate_limited"],
  ])("that %s", async (_, take, word) => {
    const check = rateLimit({ limit: 1, windowMs: 1, store: { take } as RateLimitStore });
    expect(await askedOf(guard(origin(["https://app.example.com"]), check), handshakeOf())).toBe(
      word,
    );
  });

  it("that fails is told to logs alone", async () => {
    const error = new Error("redis://user:pass@10.0.0.1");
    const check = rateLimit({
      limit: 1,
      windowMs: 1,
      store: { take: () => Promise.reject(error) },
    });
    const refusal = (await check(handshakeOf())) as Refusal;
    expect(refusal.cause).toBe(error);
    expect(refusal.retryable).toBe(true);
    expect(refusal.headers).toEqual([["Retry-After", "5"]]);
  });

  it("is told the rule", () => {
    const take = vi.fn(() => plenty);
    rateLimit({ limit: 3, windowMs: 5, store: { take } })(handshakeOf({ peer: "192.0.2.1" }));
    expect(take).toHaveBeenCalledWith("handshakes:192.0.2.1", { limit: 3, windowMs: 5 });
  });
});

describe("what is no rate limit", () => {
  it.each<[string, object, string, string]>([
    ["no limit", { windowMs: 1 }, "ERR_FIRMSHAKE_OPTION_MISSING", '"limit" is required'],
    ["no window", { limit: 1 }, "ERR_FIRMSHAKE_OPTION_MISSING", '"windowMs" is required'],
    [
      "a limit of nothing",
      { limit: 0, windowMs: 1 },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"limit" must be a whole number above 0, got 0',
    ],
    [
      "an endless window",
      { limit: 1, windowMs: Number.POSITIVE_INFINITY },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"windowMs" must be a number above 0',
    ],
    [
      "another key",
      { limit: 1, windowMs: 1, key: "ip" },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"address" or "identity", or a function',
    ],
    [
      "a store that takes nothing",
      { limit: 1, windowMs: 1, store: {} },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a store with a take() function",
    ],
    [
      "no store",
      { limit: 1, windowMs: 1, store: null },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a store with a take() function",
    ],
    [
      "too wide a prefix",
      { limit: 1, windowMs: 1, ipv6PrefixBits: 31 },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "a whole number from 32 to 128",
    ],
    [
      "a prefix without addresses",
      { limit: 1, windowMs: 1, ipv6PrefixBits: 64, key: "identity" },
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      'goes with key: "address" alone',
    ],
    [
      "a name of two words",
      { limit: 1, windowMs: 1, name: "a b" },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"name" must be one token, such as "chat"',
    ],
    [
      "a slip of the hand",
      { limit: 1, windowms: 1 },
      "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      'Did you mean "windowMs"?',
    ],
  ])("%s", (_, options, code, fix) => {
    const message = thrownBy(() => rateLimit(options as RateLimitOptions));
    expect(message).toContain(code);
    expect(message).toContain(fix);
  });

  it("another of one name in one store, which would count twice", () => {
    const store = memoryRateLimitStore();
    rateLimit({ limit: 1, windowMs: 1, store });
    const again = (name?: string): string =>
      thrownBy(() => rateLimit({ limit: 1, windowMs: 1, store, ...(name && { name }) }));
    expect(again()).toContain("ERR_FIRMSHAKE_STORE_SHARED");
    expect(again("handshakes")).toContain('Give each its own "name"');
    expect(again("other")).toBe("nothing was thrown");
  });

  it("but a prefix beside the address, said or not, is one", () => {
    expect(
      thrownBy(() => rateLimit({ limit: 1, windowMs: 1, ipv6PrefixBits: 64, key: "address" })),
    ).toBe("nothing was thrown");
  });
});
