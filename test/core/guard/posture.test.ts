import {
  type AnyCheck,
  address,
  all,
  allow,
  any,
  bearerToken,
  cookieToken,
  type GuardOptions,
  guard,
  host,
  insecureAnyOrigin,
  type JwtOptions,
  jwt,
  named,
  origin,
  rateLimit,
  secure,
  subprotocol,
  when,
} from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { askedOf, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const token = (from: JwtOptions["from"] = [bearerToken()]): AnyCheck =>
  jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32), from });
const byCookie = (): AnyCheck => token([cookieToken("session")]);
const listed = (): AnyCheck => origin(["https://app.example.com"]);
const yes: AnyCheck = () => allow;

/** The names of a guard's own checks, in the order in which they run. */
const runs = (...checks: readonly AnyCheck[]): readonly string[] =>
  guard(...checks)
    .explain()
    .split("\n")
    .filter((line) => /^[├└]/.test(line))
    .map((line) => line.slice(3).split(":")[0] ?? "")
    .slice(1);

const hasDefaultOrigin = (...checks: readonly AnyCheck[]): boolean =>
  /^[├└]─ origin: same-origin$/m.test(guard(...checks).explain());

describe("the origin", () => {
  it.each<[string, readonly AnyCheck[]]>([
    ["no check", []],
    ["a token alone", [token()]],
    ["a list that holds in some paths only", [when("/a", listed())]],
    ["a list in one branch beside an open one", [any(listed(), yes)]],
    ["a list in one branch beside a cookie", [any(all(listed(), byCookie()), byCookie())]],
    ["explicit tokens in all branches", [any(token(), token())]],
    ["a user's own check", [yes]],
  ])("is the own one alone, with %s", (_, checks) => {
    expect(hasDefaultOrigin(...checks)).toBe(true);
  });

  it.each<[string, readonly AnyCheck[]]>([
    ["a list", [listed()]],
    ["a list within all", [all(yes, listed())]],
    ["a list by another name", [named("pages", listed())]],
    ["a list in every branch", [any(listed(), all(yes, listed()))]],
    ["a list here and an explicit token there", [any(all(listed(), byCookie()), token())]],
    ["a list here and an explicit token in a list there", [any(listed(), all(yes, token()))]],
    ["a list here and the opposite there", [when("/public", insecureAnyOrigin(), listed())]],
    ["the word that any will do", [insecureAnyOrigin()]],
  ])("is as the guard says, with %s", (_, checks) => {
    expect(hasDefaultOrigin(...checks)).toBe(false);
  });
});

describe("a cookie beside an open origin", () => {
  it.each<[string, readonly AnyCheck[]]>([
    ["insecureAnyOrigin", [insecureAnyOrigin(), byCookie()]],
    ["insecureAllowNull", [origin("same-origin", { insecureAllowNull: true }), byCookie()]],
    [
      "one of several sources",
      [insecureAnyOrigin(), token([bearerToken(), cookieToken("session")])],
    ],
    ["the depth", [all(any(insecureAnyOrigin(), yes), when("/a", byCookie()))]],
    ["another name", [insecureAnyOrigin(), named("session", byCookie())]],
    ["another name for the origin", [named("open", insecureAnyOrigin()), byCookie()]],
  ])("is refused when it is written: %s", (_, checks) => {
    const message = thrownBy(() => guard(...checks));
    expect(message).toContain("ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN");
    expect(message).toContain("Write origin([...]) with the pages that may connect.");
  });

  it.each<[string, readonly AnyCheck[]]>([
    ["a list", [listed(), byCookie()]],
    ["none, which means the own one", [byCookie()]],
    [
      "a list that lets in clients without one",
      [origin(["https://a.example"], { allowMissing: true }), byCookie()],
    ],
  ])("is good with %s", (_, checks) => {
    expect(thrownBy(() => guard(...checks))).toBe("nothing was thrown");
  });

  it("an explicit token is good with any origin", () => {
    expect(thrownBy(() => guard(insecureAnyOrigin(), token()))).toBe("nothing was thrown");
  });
});

describe("the loopback rule (DNS rebinding)", () => {
  const rebound = handshakeOf({
    peer: "127.0.0.1",
    isTls: false,
    headers: { host: "evil.example", origin: "http://evil.example" },
  });

  it.each<[string, readonly AnyCheck[]]>([
    ["the default", []],
    ["same-origin", [origin("same-origin")]],
    ["same-origin among others", [origin(["https://a.example", "same-origin"])]],
    ["a function", [origin(() => true)]],
    ["any origin", [insecureAnyOrigin()]],
    ["a host list for some paths only", [when("/admin", host(["localhost"]))]],
    ["a host list in one branch", [any(host(["localhost"]), yes)]],
  ])("stands with %s", async (_, checks) => {
    expect(runs(...checks)).toContain("loopback host");
    expect(await askedOf(guard(...checks), rebound)).toBe("host_denied");
  });

  it.each<[string, readonly AnyCheck[]]>([
    ["a list of origins, which cannot be rebound", [listed()]],
    ["a list of hosts", [host(["localhost"])]],
    ["a list of hosts within all", [all(yes, host(["localhost"]))]],
    ["lists of hosts in every branch", [any(host(["localhost"]), host(["127.0.0.1"]))]],
    ["lists of hosts on every path", [when("/admin", host(["localhost"]), host(["127.0.0.1"]))]],
  ])("is not needed with %s", (_, checks) => {
    expect(runs(...checks)).not.toContain("loopback host");
  });
});

describe("the order", () => {
  it("is that of cost, whatever is written", () => {
    const checks = [
      token(),
      rateLimit({ limit: 1, windowMs: 1 }),
      subprotocol(["a"]),
      listed(),
      secure(),
      address({ deny: ["10.0.0.1"] }),
    ];
    expect(runs(...checks)).toEqual([
      "address",
      "secure",
      "subprotocol",
      "origin",
      "rateLimit",
      "jwt",
    ]);
  });

  it("leaves a user's own checks behind what was written before them", () => {
    const mine = named("mine", yes);
    expect(runs(token(), mine, listed())).toEqual(["origin", "jwt", "mine"]);
    expect(runs(mine, token(), listed())).toEqual(["mine", "origin", "jwt"]);
  });

  it("puts what counts by identity behind what finds it", () => {
    expect(runs(rateLimit({ limit: 1, windowMs: 1, key: "identity" }), token(), listed())).toEqual([
      "origin",
      "jwt",
      "rateLimit",
    ]);
  });

  it("leaves what counts by a function where it is written", () => {
    expect(runs(token(), rateLimit({ limit: 1, windowMs: 1, key: () => "a" }), listed())).toEqual([
      "origin",
      "jwt",
      "rateLimit",
    ]);
  });

  it("puts a combinator where its dearest part would stand", () => {
    expect(runs(any(token(), listed()), rateLimit({ limit: 1, windowMs: 1 }), listed())).toEqual([
      "origin",
      "rateLimit",
      "any",
    ]);
    expect(runs(token(), all(yes, secure()), listed())).toEqual(["origin", "jwt", "all"]);
  });

  it("is as written where that is asked for", () => {
    const written = guard({ checks: [token(), secure(), listed()], order: "written" });
    expect(written.explain().match(/jwt|secure|origin/g)).toEqual(["jwt", "secure", "origin"]);
  });
});

describe("what counts by identity", () => {
  const limit = rateLimit({ limit: 1, windowMs: 1, key: "identity" });

  it.each<[string, () => unknown]>([
    ["alone", () => guard(limit)],
    ["before the token, as written", () => guard({ checks: [limit, token()], order: "written" })],
    ["with other checks of the house", () => guard(listed(), secure(), limit)],
  ])("is refused when it is written %s", (_, write) => {
    const message = thrownBy(write);
    expect(message).toContain("ERR_FIRMSHAKE_IDENTITY_MISSING");
    expect(message).toContain(
      'Add jwt({...}) to the same guard; a rate limit may go by key: "address" instead',
    );
  });

  it.each<[string, () => unknown]>([
    ["a token", () => guard(limit, token())],
    ["a token in a branch", () => guard(any(token(), listed()), limit)],
    ["a user's own check before it, which may find one", () => guard(yes, limit)],
  ])("is good with %s", (_, write) => {
    expect(thrownBy(write)).toBe("nothing was thrown");
  });
});

describe("what is no check", () => {
  it.each<[string, unknown, string]>([
    ["nothing", undefined, "got undefined"],
    ["a list", [listed()], "got an array"],
    ["the answer of a check", allow, 'guard: there is no option "ok"'],
    ["a text", "origin", "got a value of type string"],
    ["a guard", guard(), 'there is no option "decide"'],
  ])("%s", (_, given, kind) => {
    expect(thrownBy(() => guard(given as AnyCheck))).toContain(kind);
  });

  it.each([
    ["guard", () => guard(yes, allow as unknown as AnyCheck)],
    ["all", () => all(allow as unknown as AnyCheck)],
    ["any", () => any(allow as unknown as AnyCheck)],
    ["when", () => when("/a", allow as unknown as AnyCheck)],
    ["when", () => when("/a", yes, null as unknown as AnyCheck)],
  ])("in %s is answered with what to write", (owner, write) => {
    const message = thrownBy(write);
    expect(message).toContain(`${owner}: a check must be a function of the handshake`);
    expect(message).toContain(
      `Write ${owner}(origin([...]), jwt({...})), or (handshake) => allow.`,
    );
    expect(message).toContain("ERR_FIRMSHAKE_CHECK_INVALID");
  });

  it.each<[string, object, string]>([
    ["an unknown option", { checks: [], modes: "report" }, 'Did you mean "mode"?'],
    ["no checks", { mode: "report" }, '"checks" is required; give a list of checks'],
    ["one check instead of a list", { checks: yes }, '"checks" must be a list of checks'],
    ["an unknown mode", { checks: [], mode: "off" }, '"mode" must be "enforce" or "report"'],
    ["an unknown order", { checks: [], order: "any" }, '"order" must be "cost" or "written"'],
    ["an empty label", { checks: [], label: "" }, '"label" must be a non-empty string'],
  ])("in options: %s", (_, options, fix) => {
    expect(thrownBy(() => guard(options as GuardOptions))).toContain(fix);
  });

  it.each<[string, unknown, unknown]>([
    ["no name", undefined, yes],
    ["an empty name", "", yes],
    ["no check", "a", undefined],
  ])("a named check with %s", (_, name, check) => {
    expect(thrownBy(() => named(name as string, check as AnyCheck))).toContain(
      'write named("invited", (handshake) => allow)',
    );
  });
});
