import { guard, origin, type SubprotocolOptions, subprotocol } from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy, wordOf } from "../../support/handshakes.ts";

async function agreed(
  offer: string | undefined,
  names: readonly string[],
  options: SubprotocolOptions = {},
): Promise<unknown> {
  const handshake = handshakeOf({ headers: { "sec-websocket-protocol": offer } });
  const verdict = await guard(
    origin(["https://app.example.com"]),
    subprotocol(names, options),
  ).decide(handshake);
  return verdict.ok ? [verdict.facts, rewriteOf(handshake)?.protocols] : wordOf(verdict);
}

describe("the agreed subprotocol", () => {
  it.each<[string, string, readonly string[], string]>([
    ["the client's first choice of what is spoken", "x, b, a", ["a", "b"], "b"],
    ["the only one", "a", ["a"], "a"],
  ])("is %s, and the only one that a library is shown", async (_, offer, names, name) => {
    expect(await agreed(offer, names)).toEqual([{ subprotocol: name }, [name]]);
  });

  it.each<[string, string | undefined, string]>([
    ["nothing is offered", undefined, "subprotocol_required"],
    ["another is offered", "x", "subprotocol_unsupported"],
    ["the case differs", "A", "subprotocol_unsupported"],
  ])("is missed where %s", async (_, offer, code) => {
    expect(await agreed(offer, ["a"])).toBe(code);
  });

  it("may be none where that is allowed; then a library is shown none", async () => {
    expect(await agreed("x", ["a"], { required: false })).toEqual([{ subprotocol: undefined }, []]);
    expect(await agreed(undefined, ["a"], { required: false })).toEqual([
      { subprotocol: undefined },
      [],
    ]);
    expect(await agreed("x, a", ["a"], { required: false })).toEqual([{ subprotocol: "a" }, ["a"]]);
  });

  it.each<[string, unknown]>([
    ["nothing", undefined],
    ["a text", "a"],
    ["an empty list", []],
    ["an empty name", [""]],
    ["a list in one text", ["a, b"]],
    ["a number", [1]],
  ])("is not one of %s", (_, names) => {
    const message = thrownBy(() => subprotocol(names as string[]));
    expect(message).toContain("ERR_FIRMSHAKE_OPTION_INVALID");
    expect(message).toContain('write a list of tokens such as ["chat.v1"]');
  });

  it("has no other options", () => {
    expect(thrownBy(() => subprotocol(["a"], { require: false } as SubprotocolOptions))).toContain(
      'Did you mean "required"?',
    );
  });
});
