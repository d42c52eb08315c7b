import {
  type Allow,
  type AnyCheck,
  allow,
  allowWith,
  any,
  type Check,
  type Guard,
  guard,
  type Handshake,
  named,
  origin,
  type Refusal,
  refuse,
  type Verdict,
} from "@firmshake/core";
import { describe, expect, it, vi } from "vitest";
import { runCheck } from "../../../packages/core/src/guard/check.ts";
import { askedOf, handshakeOf } from "../../support/handshakes.ts";

const listed = origin(["https://app.example.com"]);
const onlyThese = (...checks: readonly AnyCheck[]): Guard =>
  guard({ checks: [listed, ...checks], order: "written" });
const badly = (answer: () => unknown): AnyCheck => answer as AnyCheck;
const forbid = (): ReturnType<typeof refuse> => refuse("forbidden");

function decided(asked: Guard, handshake = handshakeOf()): Verdict {
  const verdict = asked.decide(handshake);
  if (!("ok" in verdict)) throw new Error("The guard was to decide synchronously.");
  return verdict;
}

describe("a guard", () => {
  it("allows what all of its checks allow, and hands out a permit", () => {
    const handshake = handshakeOf();
    const verdict = decided(
      onlyThese(
        () => allow,
        () => allowWith({ room: "a" }),
      ),
      handshake,
    );
    expect(verdict).toMatchObject({ ok: true, facts: { room: "a" }, reported: undefined });
    expect(verdict.ok && verdict.permit.handshake).toBe(handshake);
  });

  it("stops at the first refusal", () => {
    const later = vi.fn(() => allow);
    const refusal = refuse("forbidden");
    const verdict = decided(onlyThese(() => refusal, later));
    expect(verdict.ok ? undefined : verdict.refusal).toBe(refusal);
    expect(later).not.toHaveBeenCalled();
  });

  it("runs no check for what is no WebSocket handshake", () => {
    const check = vi.fn(() => allow);
    const verdict = decided(onlyThese(check), handshakeOf({ method: "POST" }));
    expect(verdict).toMatchObject({
      ok: false,
      refusal: { code: "method_not_allowed" },
      trail: [{ check: "handshake", outcome: "refuse", depth: 0, code: "method_not_allowed" }],
    });
    expect(check).not.toHaveBeenCalled();
  });

  it("shows later checks what earlier ones added", () => {
    const seen: unknown[] = [];
    const look: Check = ({ facts, identity }) => {
      seen.push([facts, identity]);
      return allow;
    };
    const identity = { subject: "a", scheme: "test", claims: {}, expiresAt: undefined };
    decided(
      onlyThese(
        look,
        () => allowWith({ identity }),
        look,
        () => allowWith({ room: "b" }),
        look,
      ),
    );
    expect(seen).toEqual([
      [{}, undefined],
      [{ identity }, identity],
      [{ identity, room: "b" }, identity],
    ]);
  });

  it("decides synchronously for as long as its checks do", () => {
    expect(onlyThese(() => allow).decide(handshakeOf())).not.toHaveProperty("then");
    expect(onlyThese(forbid, async () => allow).decide(handshakeOf())).not.toHaveProperty("then");
    expect(onlyThese(async () => allow).decide(handshakeOf())).toHaveProperty("then");
  });

  it("goes on in order where some checks take their time", async () => {
    const order: number[] = [];
    const nth = (number: number, isAsync: boolean): Check => {
      const run = (): typeof allow => {
        order.push(number);
        return allow;
      };
      return isAsync ? () => Promise.resolve().then(run) : run;
    };
    const asked = onlyThese(
      nth(1, false),
      nth(2, true),
      nth(3, false),
      nth(4, true),
      nth(5, false),
    );
    expect(await askedOf(asked, handshakeOf())).toBe("allow");
    expect(order).toEqual([1, 2, 3, 4, 5]);
  });

  it("may be used for any number of handshakes", () => {
    const asked = onlyThese(({ path }) => allowWith({ path }));
    const facts = ["/a", "/b"].map((target) => decided(asked, handshakeOf({ target })));
    expect(facts).toMatchObject([{ facts: { path: "/a" } }, { facts: { path: "/b" } }]);
  });

  it("is frozen, and does not change with the list it was made of", () => {
    const checks: AnyCheck[] = [listed, forbid];
    const asked = guard({ checks, order: "written", label: "chat" });
    checks.length = 0;
    expect(Object.isFrozen(asked)).toBe(true);
    expect(asked.label).toBe("chat");
    expect(decided(asked).ok).toBe(false);
  });
});

describe("everything that is not exactly an answer refuses", () => {
  const unreadable = {
    // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is tested
    get then(): unknown {
      throw new Error("secret");
    },
  };
  const rejecting: PromiseLike<never> = {
    // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is tested
    then: () => {
      throw new Error("secret");
    },
  };
  const settlingTwice: PromiseLike<unknown> = {
    // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is tested
    then: (onSettled) => {
      onSettled?.(Promise.reject(new Error("secret")) as never);
      return undefined as never;
    },
  };
  it.each<[string, () => unknown, string]>([
    [
      "throws",
      () => {
        throw new Error("secret");
      },
      "threw",
    ],
    [
      "throws nothing",
      () => {
        throw undefined;
      },
      "threw",
    ],
    ["rejects", () => Promise.reject(new Error("secret")), "rejected"],
    ["returns nothing", () => undefined, "answered with undefined"],
    ["returns a promise of nothing", async () => undefined, "answered with undefined"],
    ["returns true", () => true, "answered with true"],
    ["resolves with true", async () => true, "answered with true"],
    ["returns null", () => null, "answered with null"],
    ["returns a text", () => "secret", "answered with a value of type string"],
    [
      "returns an imitation of allow",
      () => ({ ok: true, facts: {} }),
      "answered with a value of type object",
    ],
    [
      "resolves with a copy of allow",
      async () => ({ ...allow }),
      "answered with a value of type object",
    ],
    [
      "returns the function instead of its answer",
      () => forbid,
      "answered with a value of type function",
    ],
    ["has a then that throws", () => rejecting, "rejected"],
    ["settles with a promise that rejects", () => settlingTwice, "rejected"],
    ["has a then that cannot be read", () => unreadable, "threw"],
  ])("a check that %s", async (_, check, reason) => {
    const verdict = await onlyThese(badly(check)).decide(handshakeOf());
    expect(verdict).toMatchObject({
      ok: false,
      refusal: { code: "check_failed", reason, detail: undefined },
    });
    expect(JSON.stringify(verdict.trail)).not.toContain("secret");
  });

  it("keeps the error for whoever looks, and for nobody else", () => {
    const error = new Error("secret");
    const verdict = decided(
      onlyThese(
        badly(() => {
          throw error;
        }),
      ),
    );
    expect(verdict.ok ? undefined : verdict.refusal.cause).toBe(error);
  });

  it("a check whose handshake's signal cannot be had", async () => {
    const handshake = handshakeOf();
    const spy = vi
      .spyOn(Object.getPrototypeOf(handshake), "signal", "get")
      .mockImplementation(() => {
        throw new Error("no signal");
      });
    try {
      expect(await askedOf((one) => runCheck(async () => allow, one), handshake)).toBe(
        "check_failed",
      );
    } finally {
      spy.mockRestore();
    }
  });
});

describe("a check that does not come to an end", () => {
  const timeout = new DOMException("", "TimeoutError");

  it.each<[string, unknown, string]>([
    ["refuses when the time is over", timeout, "decision_timeout"],
    ["refuses when the client leaves", new Error("gone"), "client_gone"],
    ["refuses when the client leaves without a word", undefined, "client_gone"],
    ["refuses on another DOMException", new DOMException("", "AbortError"), "client_gone"],
  ])("%s", async (_, reason, code) => {
    const deadline = new AbortController();
    const answer = askedOf(
      onlyThese(() => new Promise(() => undefined)),
      handshakeOf({ signal: deadline.signal }),
    );
    deadline.abort(reason);
    expect(await answer).toBe(code);
  });

  it("refuses where the time was over before it began", async () => {
    const signal = AbortSignal.abort(timeout);
    expect(
      await askedOf(
        onlyThese(async () => allow),
        handshakeOf({ signal }),
      ),
    ).toBe("decision_timeout");
  });

  it("is not followed by the next check, whatever it answers at last", async () => {
    const deadline = new AbortController();
    const later = vi.fn(() => allow);
    let finish: (answer: typeof allow) => void = () => undefined;
    const slow: Check = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const answer = askedOf(onlyThese(slow, later), handshakeOf({ signal: deadline.signal }));
    deadline.abort();
    finish(allow);
    expect(await answer).toBe("client_gone");
    await new Promise(setImmediate);
    expect(later).not.toHaveBeenCalled();
  });

  it.each<[string, (slow: Check, later: Check) => readonly AnyCheck[], Allow | Refusal]>([
    ["a list", (slow, later) => [slow, later], allow],
    ["any", (slow, later) => [any(slow, later)], refuse("forbidden")],
  ])(
    "in %s, and the client leaves just then: no check begins after that",
    async (_, checksOf, answered) => {
      const words: string[] = [];
      for (let ticks = 0; ticks < 12; ticks++) {
        const leaving = new AbortController();
        const later = vi.fn(() => allow);
        const asked = onlyThese(...checksOf(async () => answered, later));
        const word = askedOf(asked, handshakeOf({ signal: leaving.signal }));
        for (let tick = 0; tick < ticks; tick++) await undefined;
        leaving.abort();
        const before = later.mock.calls.length;
        words.push(await word);
        await new Promise(setImmediate);
        expect(later.mock.calls.length).toBe(before);
        if (before === 0) expect(words.at(-1)).toBe("client_gone");
      }
      expect(new Set(words)).toEqual(new Set(["client_gone", "allow"]));
    },
  );

  it("leaves no listener on the signal of one that ended", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    await askedOf(
      onlyThese(
        async () => allow,
        async () => allow,
      ),
      handshakeOf({ signal }),
    );
    expect(added.mock.calls.length).toBe(2);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });
});

describe("the trail", () => {
  it("names each check that ran, in order, and why the last refused", () => {
    const verdict = decided(
      onlyThese(
        named("first", () => allow),
        named("second", () => refuse("forbidden", undefined, { reason: "why" })),
        named("third", () => allow),
      ),
    );
    expect(verdict.trail).toEqual([
      { check: "origin", outcome: "allow", depth: 0 },
      { check: "first", outcome: "allow", depth: 0 },
      { check: "second", outcome: "refuse", depth: 0, code: "forbidden", reason: "why" },
    ]);
  });

  it("calls a user's own checks by their functions' names", () => {
    function invited(_: Handshake): typeof allow {
      return allow;
    }
    expect(decided(onlyThese(invited, () => allow)).trail.map(({ check }) => check)).toEqual([
      "origin",
      "invited",
      "anonymous check",
    ]);
  });

  it("of a refused opening carries its reason", () => {
    const verdict = decided(onlyThese(), handshakeOf({ httpVersion: "1.0" }));
    expect(verdict.trail).toEqual([
      {
        check: "handshake",
        outcome: "refuse",
        depth: 0,
        code: "handshake_malformed",
        reason: "http version",
      },
    ]);
  });

  it("of one handshake at two guards is each guard's own", () => {
    const handshake = handshakeOf();
    const first = decided(onlyThese(named("first", () => allow)), handshake);
    const second = decided(onlyThese(named("second", () => allow)), handshake);
    expect([first.trail.at(-1)?.check, second.trail.at(-1)?.check]).toEqual(["first", "second"]);
    expect(first.trail).toHaveLength(2);
  });
});

describe("in report mode", () => {
  const reporting = (...checks: readonly AnyCheck[]): Guard =>
    guard({ checks: [listed, ...checks], order: "written", mode: "report" });

  it("lets through what it would have refused, and says so", () => {
    const verdict = decided(
      reporting(
        () => allowWith({ room: "a" }),
        forbid,
        () => allowWith({ never: 1 }),
      ),
    );
    expect(verdict).toMatchObject({
      ok: true,
      facts: { room: "a" },
      reported: { code: "forbidden" },
    });
    expect(verdict.trail.at(-1)).toMatchObject({ outcome: "refuse", code: "forbidden" });
  });

  it("reports nothing where nothing was refused", () => {
    expect(decided(reporting(() => allow))).toMatchObject({ ok: true, reported: undefined });
  });

  it("still refuses what is no WebSocket handshake", () => {
    expect(decided(reporting(), handshakeOf({ method: "POST" })).ok).toBe(false);
  });

  it("still refuses a client that left", async () => {
    const signal = AbortSignal.abort();
    expect(
      await askedOf(
        reporting(async () => allow),
        handshakeOf({ signal }),
      ),
    ).toBe("client_gone");
  });

  it("says so in its mode and in explain()", () => {
    expect(reporting().mode).toBe("report");
    expect(reporting().explain()).toContain("guard (report only: refuses nothing)");
    expect(onlyThese().mode).toBe("enforce");
  });
});
