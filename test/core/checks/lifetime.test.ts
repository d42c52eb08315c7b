import { guard, insecureAnyOrigin, type LifetimeOptions, lifetime } from "@firmshake/core";
import {
  describeLifetime,
  type LifetimeRules,
  type LifetimeTerm,
  strictestLifetime,
  termsOf,
} from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy } from "../../support/handshakes.ts";

it("allows, and leaves word for the gate", () => {
  const handshake = handshakeOf();
  const options = { maxAgeMs: 60_000 };
  const verdict = guard(insecureAnyOrigin(), lifetime(options)).decide(handshake);
  expect(verdict).toMatchObject({ ok: true, facts: {} });
  const [term] = termsOf<LifetimeTerm>(handshake, "lifetime");
  expect(term?.options).toEqual(options);
});

it.each<[LifetimeOptions, string]>([
  [{ expiryGraceMs: 5_000, maxAgeMs: 60_000 }, "lifetime: ends 5 s after expiry, age 60 s"],
  [{ idleMs: 0, pingIntervalMs: 10_000 }, "lifetime: idle: no limit, ping 10 s"],
  [{ revalidate: { everyMs: 60_000, by: () => true } }, "lifetime: asked about every 60 s"],
  [{ insecureIgnoreExpiry: true }, "! connections outlive their tokens"],
])("%j shows in explain()", (options, expected) => {
  expect(guard(insecureAnyOrigin(), lifetime(options)).explain()).toContain(expected);
});

it.each<[object, string]>([
  [{ maxAge: 1 }, "ERR_FIRMSHAKE_OPTION_UNKNOWN"],
  [{ maxAgeMs: -1 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
  [{ maxAgeMs: Number.POSITIVE_INFINITY }, "ERR_FIRMSHAKE_OPTION_INVALID"],
  [{ maxAgeJitter: 1.5 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
  [{ pongTimeoutMs: 0 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
  [{ expiryClose: "later" }, "ERR_FIRMSHAKE_OPTION_INVALID"],
  [{ revalidate: { everyMs: 1 } }, "ERR_FIRMSHAKE_OPTION_MISSING"],
  [{ revalidate: { by: () => true } }, "ERR_FIRMSHAKE_OPTION_MISSING"],
  [{ revalidate: { everyMs: 1, by: () => true, every: 1 } }, "ERR_FIRMSHAKE_OPTION_UNKNOWN"],
  [{ insecureIgnoreExpiry: true, expiryGraceMs: 0 }, "ERR_FIRMSHAKE_OPTIONS_CONTRADICT"],
])("%j is not taken", (options, code) => {
  expect(thrownBy(() => lifetime(options))).toContain(code);
});

describe("of several words the strictest counts", () => {
  it.each<[string, readonly LifetimeOptions[], LifetimeOptions, Partial<LifetimeRules>]>([
    [
      "the defaults, where nobody says anything",
      [],
      {},
      { expiryGraceMs: 0, maxAgeMs: 0, idleMs: 0, pingIntervalMs: 30_000, pongTimeoutMs: 20_000 },
    ],
    ["the gate's, where no guard says anything", [{}], { maxAgeMs: 5 }, { maxAgeMs: 5 }],
    ["a guard's instead of the gate's", [{ maxAgeMs: 9 }], { maxAgeMs: 5 }, { maxAgeMs: 9 }],
    ["a guard's word that there is none", [{ maxAgeMs: 0 }], { maxAgeMs: 5 }, { maxAgeMs: 0 }],
    ["the shorter of two", [{ idleMs: 9 }, { idleMs: 7 }], {}, { idleMs: 7 }],
    ["a limit before none", [{ idleMs: 0 }, { idleMs: 7 }], {}, { idleMs: 7 }],
    ["the shorter grace", [{ expiryGraceMs: 9 }, { expiryGraceMs: 7 }], {}, { expiryGraceMs: 7 }],
    [
      "the terminal close",
      [{ expiryClose: "terminal" }, { expiryClose: "retryable" }],
      {},
      { expiryClose: "terminal" },
    ],
    [
      "expiry before none",
      [{ insecureIgnoreExpiry: true }, { expiryGraceMs: 7 }],
      {},
      { expiryGraceMs: 7 },
    ],
    [
      "no expiry, where all who speak of it say so",
      [{ insecureIgnoreExpiry: true }, {}],
      {},
      { expiryGraceMs: undefined },
    ],
    [
      "a guard's grace before the gate's leave to ignore",
      [{ expiryGraceMs: 7 }],
      { insecureIgnoreExpiry: true },
      { expiryGraceMs: 7 },
    ],
    [
      "a guard's leave to ignore before the gate's grace",
      [{ insecureIgnoreExpiry: true }],
      { expiryGraceMs: 7 },
      { expiryGraceMs: undefined },
    ],
  ])("%s", (_, given, ofGate, expected) => {
    expect(strictestLifetime(given, ofGate)).toMatchObject(expected);
  });

  it("in words", () => {
    expect(
      describeLifetime(strictestLifetime([{ insecureIgnoreExpiry: true, pingIntervalMs: 0 }], {})),
    ).toBe("not ended at expiry, age: no limit, idle: no limit, ping: never");
  });
});
