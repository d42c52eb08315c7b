import {
  type AnyCheck,
  all,
  allow,
  allowWith,
  any,
  type Check,
  type Guard,
  guard,
  named,
  origin,
  queryToken,
  type RefusalCode,
  refuse,
  subprotocol,
  subprotocolToken,
  type Verdict,
  when,
} from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { extractToken } from "../../../packages/core/src/tokens/extract-token.ts";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const listed = origin(["https://app.example.com"]);
const only = (...checks: readonly AnyCheck[]): Guard =>
  guard({ checks: [listed, ...checks], order: "written" });
const refusing =
  (code: RefusalCode): Check =>
  () =>
    refuse(code);
const throwing: Check = () => {
  throw new Error("a bug");
};
const asked = (check: AnyCheck, sketch: HandshakeSketch = {}): Promise<string> =>
  askedOf(only(check), handshakeOf(sketch));

async function factsOf(check: AnyCheck, handshake = handshakeOf()): Promise<object> {
  const verdict = await only(check).decide(handshake);
  return verdict.ok ? verdict.facts : { refused: verdict.refusal.code };
}

describe("all", () => {
  it("allows where each allows, and adds up what they add", async () => {
    expect(
      await factsOf(
        all(
          () => allowWith({ a: 1 }),
          async () => allowWith({ b: 2 }),
        ),
      ),
    ).toEqual({ a: 1, b: 2 });
  });

  it("of nothing allows", async () => {
    expect(await asked(all())).toBe("allow");
  });

  it("stops at the first refusal", async () => {
    const later = vi.fn(() => allow);
    expect(await asked(all(() => allow, refusing("forbidden"), later))).toBe("forbidden");
    expect(later).not.toHaveBeenCalled();
  });

  it("stops at an asynchronous refusal", async () => {
    const later = vi.fn(() => allow);
    expect(await asked(all(async () => refuse("forbidden"), later))).toBe("forbidden");
    expect(later).not.toHaveBeenCalled();
  });
});

describe("any", () => {
  it("allows where one allows, and asks no further", async () => {
    const later = vi.fn(() => allow);
    expect(await asked(any(refusing("forbidden"), () => allow, later))).toBe("allow");
    expect(
      await asked(
        any(
          async () => refuse("forbidden"),
          async () => allow,
          later,
        ),
      ),
    ).toBe("allow");
    expect(later).not.toHaveBeenCalled();
  });

  it.each<[string, readonly RefusalCode[], RefusalCode]>([
    ["the last", ["forbidden", "origin_denied"], "origin_denied"],
    [
      "the last that is more than a missing token",
      ["token_invalid", "token_missing"],
      "token_invalid",
    ],
    [
      "a missing token where there is nothing else",
      ["token_missing", "token_missing"],
      "token_missing",
    ],
    [
      "what may pass by itself, since the client should come again",
      ["keys_unavailable", "token_invalid", "token_missing"],
      "keys_unavailable",
    ],
    [
      "a missing token where strangers are denied, since with one it might be another matter",
      ["token_missing", "forbidden", "address_denied"],
      "token_missing",
    ],
  ])("refuses with the most telling refusal: %s", async (_, codes, telling) => {
    const [first = "forbidden", ...rest] = codes;
    expect(await asked(any(refusing(first), ...rest.map(refusing)))).toBe(telling);
    const slowly =
      (code: RefusalCode): Check =>
      async () =>
        refuse(code);
    expect(await asked(any(slowly(first), ...rest.map(slowly)))).toBe(telling);
  });

  it.each<[string, Check]>([
    ["throws", throwing],
    ["rejects", async (handshake) => throwing(handshake)],
    ["does not answer", (() => undefined) as unknown as Check],
    ["says itself that it failed", refusing("check_failed")],
  ])("refuses the whole where a check %s: it does not know", async (_, failing) => {
    const later = vi.fn(() => allow);
    expect(await asked(any(refusing("forbidden"), failing, later))).toBe("check_failed");
    expect(later).not.toHaveBeenCalled();
  });

  it("asks nobody any more when the time is over", async () => {
    const deadline = new AbortController();
    const later = vi.fn(() => allow);
    const check = any(() => new Promise<never>(() => undefined), later);
    const answer = asked(check, { signal: deadline.signal });
    deadline.abort(new DOMException("", "TimeoutError"));
    expect(await answer).toBe("decision_timeout");
    expect(later).not.toHaveBeenCalled();
  });

  it("asks nobody any more when the client left while a branch refused", async () => {
    const deadline = new AbortController();
    const later = vi.fn(() => allow);
    const leaving: Check = async () => {
      queueMicrotask(() => deadline.abort());
      return refuse("forbidden");
    };
    expect(await asked(any(leaving, later), { signal: deadline.signal })).toBe("client_gone");
    expect(later).not.toHaveBeenCalled();
  });

  it("takes back what a refused branch had added", async () => {
    const branch = all(() => allowWith({ admin: true }), refusing("forbidden"));
    expect(await factsOf(any(branch, () => allowWith({ user: true })))).toEqual({ user: true });
  });

  it("takes back what an asynchronous branch had added, and keeps what was there before", async () => {
    const branch = all(
      async () => allowWith({ admin: true }),
      async () => refuse("forbidden"),
    );
    const check = all(
      () => allowWith({ before: true }),
      any(branch, async () => allowWith({ user: true })),
    );
    expect(await factsOf(check)).toEqual({ before: true, user: true });
  });

  it("does not show a branch what another had added", async () => {
    const seen: unknown[] = [];
    const look: Check = ({ facts }) => {
      seen.push(facts);
      return allow;
    };
    await asked(
      any(
        all(() => allowWith({ admin: true }), refusing("forbidden")),
        look,
      ),
    );
    expect(seen).toEqual([{}]);
  });

  it("takes back which subprotocol a refused branch agreed on", async () => {
    const handshake = handshakeOf({ headers: { "sec-websocket-protocol": "a, b" } });
    const check = any(all(subprotocol(["a"]), refusing("forbidden")), () => allow);
    expect(await factsOf(check, handshake)).toEqual({});
    expect(rewriteOf(handshake)).toBeUndefined();
  });

  it("never gives back a token that a refused branch withheld", async () => {
    const sources = [subprotocolToken(), queryToken("a")];
    const handshake = handshakeOf({
      target: "/chat?a=secret&b=1",
      headers: { "sec-websocket-protocol": "chat, bearer, secret" },
    });
    const reads: Check = (one) =>
      typeof extractToken(one, sources, 99) === "string" ? allow : refuse("token_invalid");
    expect(
      await factsOf(
        any(reads, () => allow),
        handshake,
      ),
    ).toEqual({});
    expect(rewriteOf(handshake)).toEqual({ protocols: ["chat", "bearer"], target: "/chat?b=1" });
  });

  it("of nothing is refused when it is written", () => {
    const nothing = any as (...checks: readonly AnyCheck[]) => unknown;
    expect(thrownBy(() => nothing())).toBe(
      "ConfigError: any: give at least one check. (ERR_FIRMSHAKE_CHECK_INVALID)",
    );
  });
});

describe("when", () => {
  it("runs a check where the path matches, and no other", async () => {
    const check = when("/admin/*", refusing("forbidden"));
    expect(await asked(check, { target: "/admin/users?x" })).toBe("forbidden");
    expect(await asked(check, { target: "/admin" })).toBe("allow");
    expect(await asked(check, { target: "/chat" })).toBe("allow");
  });

  it("runs the other one elsewhere", async () => {
    const check = when(
      "/admin",
      () => allowWith({ a: 1 }),
      () => allowWith({ b: 2 }),
    );
    expect(await factsOf(check, handshakeOf({ target: "/admin" }))).toEqual({ a: 1 });
    expect(await factsOf(check, handshakeOf({ target: "/chat" }))).toEqual({ b: 2 });
  });

  it("asks a predicate", async () => {
    const check = when(
      ({ query }) => query === "a",
      async () => refuse("forbidden"),
    );
    expect(await asked(check, { target: "/?a" })).toBe("forbidden");
    expect(await asked(check, { target: "/?b" })).toBe("allow");
  });

  it.each<[string, unknown]>([
    [
      "throws",
      () => {
        throw new Error("a bug");
      },
    ],
    ["is asynchronous, which would always be true", async () => false],
    ["answers with something else", () => 1],
    ["answers nothing", () => undefined],
  ])("refuses where the predicate %s", async (_, predicate) => {
    expect(await asked(when(predicate as () => boolean, () => allow))).toBe("check_failed");
  });
});

describe("a path", () => {
  it.each([
    ["/chat", "/chat", true],
    ["/chat", "/chat/", false],
    ["/chat", "/Chat", false],
    ["/chat", "/chatter", false],
    ["/chat/*", "/chat/", true],
    ["/chat/*", "/chat/a/b", true],
    ["/chat/*", "/chat", false],
    ["/chat/*", "/chatter/a", false],
    ["/*", "/", true],
    ["/*", "/a", true],
    ["/a%20b", "/a%20b", true],
  ])("%s against %s: %s", async (pattern, target, isMatch) => {
    const check = when(pattern as `/${string}`, refusing("forbidden"));
    expect(await asked(check, { target })).toBe(isMatch ? "forbidden" : "allow");
  });

  it.each([
    "chat",
    "",
    "*",
    "/a*",
    "/a/*/b",
    "/*/*",
    "/:room",
    "/a?b",
    "/a#b",
    "//a",
    "/a//b",
    "/a\\b",
    "/a b",
    "/größe/*",
    "/a/../b",
    "/./a/*",
    "/%2e%2e/a",
    1,
    undefined,
  ])("%j could never match as meant", (pattern) => {
    const message = thrownBy(() => when(pattern as `/${string}`, () => allow));
    expect(message).toContain("ERR_FIRMSHAKE_ROUTE_INVALID");
    expect(message).toContain('Write a whole path such as "/chat", or "/socket.io/*"');
  });
});

describe("the trail of combinators", () => {
  const trailOf = async (
    check: AnyCheck,
    sketch: HandshakeSketch = {},
  ): Promise<readonly unknown[]> => {
    const verdict: Verdict = await only(check).decide(handshakeOf(sketch));
    return verdict.trail
      .slice(1)
      .map(({ check: name, outcome, depth }) => `${depth} ${name} ${outcome}`);
  };
  const yes = named("yes", () => allow);
  const no = named("no", () => refuse("forbidden"));
  const slowYes = named("slow yes", async () => allow);
  const slowNo = named("slow no", async () => refuse("forbidden"));

  it.each<[string, AnyCheck, readonly string[]]>([
    ["all", all(yes, no, yes), ["1 yes allow", "1 no refuse", "0 all refuse"]],
    [
      "any",
      any(no, all(slowNo), slowYes),
      ["1 no refuse", "2 slow no refuse", "1 all refuse", "1 slow yes allow", "0 any allow"],
    ],
    ["when", when("/chat", slowYes), ["1 slow yes allow", "0 when allow"]],
    ["when that does not match", when("/other", no), ["0 when allow"]],
    [
      "when whose predicate throws",
      all(
        when(() => {
          throw new Error("a bug");
        }, yes),
        yes,
      ),
      ["1 when refuse", "0 all refuse"],
    ],
  ])("of %s says how deep each check stands", async (_, check, trail) => {
    expect(await trailOf(check)).toEqual(trail);
  });

  it("stays in order when the time is over in the depth", async () => {
    const deadline = new AbortController();
    const stuck = named("stuck", () => new Promise<never>(() => undefined));
    const trail = trailOf(all(yes, any(stuck)), { signal: deadline.signal });
    deadline.abort();
    expect(await trail).toEqual(["1 yes allow", "2 stuck refuse", "1 any refuse", "0 all refuse"]);
  });
});

describe("trees of checks agree with a model", () => {
  type Tree =
    | {
        readonly kind: "allow" | "refuse" | "throw";
        readonly isAsync: boolean;
        readonly id: number;
      }
    | { readonly kind: "all" | "any"; readonly parts: readonly Tree[] }
    | { readonly kind: "when"; readonly isMatch: boolean; readonly parts: readonly Tree[] };

  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, depthSize: "small" },
      fc.record({
        kind: fc.constantFrom("allow", "allow", "refuse", "refuse", "throw"),
        isAsync: fc.boolean(),
        id: fc.nat(999),
      }),
      fc.record({
        kind: fc.constantFrom("all", "any"),
        parts: fc.array(tie("tree"), { minLength: 1, maxLength: 4 }),
      }),
      fc.record({
        kind: fc.constant("when" as const),
        isMatch: fc.boolean(),
        parts: fc.array(tie("tree"), { minLength: 1, maxLength: 2 }),
      }),
    ),
  }));

  function checkOf(node: Tree, ran: number[]): AnyCheck {
    if ("id" in node) {
      const answer = (): ReturnType<AnyCheck> => {
        ran.push(node.id);
        if (node.kind === "throw") throw new Error("a bug");
        return node.kind === "allow"
          ? allowWith({ [`fact${node.id}`]: true })
          : refuse("forbidden");
      };
      return node.isAsync ? async () => answer() : answer;
    }
    const [first, ...rest] = node.parts.map((part) => checkOf(part, ran));
    if (first === undefined) return all();
    if ("isMatch" in node) return when(() => node.isMatch, first, rest[0]);
    return node.kind === "all" ? all(first, ...rest) : any(first, ...rest);
  }

  interface Modelled {
    readonly word: "allow" | "forbidden" | "check_failed";
    readonly facts: readonly number[];
    readonly ran: readonly number[];
    readonly isAsync: boolean;
  }

  function modelOf(node: Tree): Modelled {
    if ("id" in node) {
      const word =
        node.kind === "allow" ? "allow" : node.kind === "refuse" ? "forbidden" : "check_failed";
      return {
        word,
        facts: word === "allow" ? [node.id] : [],
        ran: [node.id],
        isAsync: node.isAsync,
      };
    }
    if (node.kind === "when") {
      const chosen = node.parts[node.isMatch ? 0 : 1];
      return chosen === undefined
        ? { word: "allow", facts: [], ran: [], isAsync: false }
        : modelOf(chosen);
    }
    const going = node.kind === "all" ? "allow" : "forbidden";
    let whole: Modelled = { word: going, facts: [], ran: [], isAsync: false };
    for (const part of node.parts) {
      const one = modelOf(part);
      const facts = node.kind === "all" ? [...whole.facts, ...one.facts] : one.facts;
      whole = {
        word: one.word,
        facts,
        ran: [...whole.ran, ...one.ran],
        isAsync: whole.isAsync || one.isAsync,
      };
      if (one.word !== going) break;
    }
    return whole;
  }

  it("in what they decide, what they add, which checks run, and whether they stay synchronous", async () => {
    await fc.assert(
      fc.asyncProperty(tree, async (node) => {
        const ran: number[] = [];
        const answer = only(checkOf(node, ran)).decide(handshakeOf());
        const model = modelOf(node);
        expect("then" in answer).toBe(model.isAsync);
        const verdict = await answer;
        expect(verdict.ok ? "allow" : verdict.refusal.code).toBe(model.word);
        expect(ran).toEqual(model.ran);
        if (verdict.ok) {
          expect(Object.keys(verdict.facts).sort()).toEqual(
            [...new Set(model.facts.map((id) => `fact${id}`))].sort(),
          );
        }
        expect(verdict.trail.filter(({ depth }) => depth === 0)).toHaveLength(2);
      }),
      { numRuns: 1_000 },
    );
  });
});
