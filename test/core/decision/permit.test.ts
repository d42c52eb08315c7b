import { allowWith, guard, insecureAnyOrigin, type Permit } from "@firmshake/core";
import { deciderOf, spendPermit } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy } from "../../support/handshakes.ts";

const open = guard(insecureAnyOrigin(), () => allowWith({ room: "a" }));

function permitted(handshake = handshakeOf()): Permit {
  const verdict = open.decide(handshake);
  if ("ok" in verdict && verdict.ok) return verdict.permit;
  throw new Error("The guard was to allow.");
}

const refused = "ERR_FIRMSHAKE_PERMIT_INVALID";

describe("a permit", () => {
  it("is spent once, for its own handshake", () => {
    const handshake = handshakeOf();
    const permit = permitted(handshake);
    expect(thrownBy(() => spendPermit(permit, handshake))).toBe("nothing was thrown");
    expect(thrownBy(() => spendPermit(permit, handshake))).toContain(refused);
  });

  it("is worth nothing for another handshake, and stays good for its own", () => {
    const handshake = handshakeOf();
    const permit = permitted(handshake);
    expect(thrownBy(() => spendPermit(permit, handshakeOf()))).toContain(refused);
    expect(thrownBy(() => spendPermit(permit, handshake))).toBe("nothing was thrown");
  });

  it("cannot be forged", () => {
    const handshake = handshakeOf();
    const permit = permitted(handshake);
    const forgeries: unknown[] = [
      undefined,
      null,
      true,
      "permit",
      { handshake, facts: {} },
      { ...permit },
      Object.create(permit),
      new Proxy(permit, {}),
      Object.assign(Object.create(Object.getPrototypeOf(permit)), { handshake, facts: {} }),
    ];
    for (const forgery of forgeries) {
      expect(thrownBy(() => spendPermit(forgery as Permit, handshake))).toContain(refused);
    }
  });

  it("can be made anew by its class only for whoever can already call decide()", () => {
    const permit = permitted();
    expect(Object.isFrozen(permit)).toBe(true);
    expect(permit.facts).toEqual({ room: "a" });
  });

  it("knows which guard made it", () => {
    const permit = permitted();
    expect(deciderOf(permit)).toBe(open.decide);
    expect(deciderOf({ handshake: permit.handshake, facts: {} })).toBeUndefined();
  });
});
