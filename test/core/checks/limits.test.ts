import { guard, insecureAnyOrigin, type LimitsOptions, limits } from "@firmshake/core";
import { type LimitsTerm, limitsKind, termsOf } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy } from "../../support/handshakes.ts";

describe("limits", () => {
  it("allows, and leaves its word on the handshake", () => {
    const handshake = handshakeOf();
    const said = { maxMessageBytes: 100, messages: { limit: 5, windowMs: 1_000 } };
    expect(guard(insecureAnyOrigin(), limits(said)).decide(handshake)).toMatchObject({ ok: true });
    expect(termsOf<LimitsTerm>(handshake, limitsKind).map((term) => term.limits)).toEqual([said]);
  });

  it.each<[LimitsOptions, string]>([
    [{}, "limits: the gate's own"],
    [
      { maxMessageBytes: 100, messages: { limit: 5, windowMs: 1_000 }, controlFrames: 0 },
      "limits: message bytes 100, messages 5 in 1 s, control frames unlimited",
    ],
    [{ maxMessageBytes: 0 }, "! messages of any size"],
    [{ maxBufferedBytes: 0 }, "! clients that never read"],
  ])("%j is explained", (options, text) => {
    expect(guard(insecureAnyOrigin(), limits(options)).explain()).toContain(text);
  });

  it.each<[unknown, string]>([
    [{ maxMessageByte: 1 }, "ERR_FIRMSHAKE_OPTION_UNKNOWN"],
    [{ maxMessageBytes: -1 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [{ maxFragments: 1.5 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [{ messages: 5 }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [{ messages: { limit: 5 } }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [{ messages: { limit: 5, windowMs: 1_000, burst: 1 } }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [{ bytes: { limit: 2 ** 52, windowMs: 1_000 } }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [{ compression: "on" }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    [
      { maxMessageBytes: 1_000, bytes: { limit: 999, windowMs: 1_000 } },
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    ],
    [{ maxBufferedBytes: 0, bufferedGraceMs: 5 }, "ERR_FIRMSHAKE_OPTIONS_CONTRADICT"],
  ])("%j throws", (options, code) => {
    const text = thrownBy(() => limits(options as LimitsOptions));
    expect(text).toMatch(/^ConfigError: limits: /);
    expect(text).toContain(code);
  });

  it("by identity needs a check that finds one", () => {
    const rate = { limit: 5, windowMs: 1_000 };
    expect(
      thrownBy(() => guard(insecureAnyOrigin(), limits({ messagesPerIdentity: rate }))),
    ).toContain("ERR_FIRMSHAKE_IDENTITY_MISSING");
  });
});
