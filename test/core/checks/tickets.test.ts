import {
  any,
  type Check,
  guard,
  type Handshake,
  type Identity,
  insecureAnyOrigin,
  jwt,
  origin,
  queryToken,
  refuse,
  type StoredTicket,
  subprotocolToken,
  type TicketStore,
  type Tickets,
  type TicketsOptions,
  type TicketWish,
  tickets,
  withoutSecrets,
} from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const page = "https://app.example.com";
const wish: TicketWish = { subject: "ada", path: "/chat", origin: page };

interface Desk {
  readonly entry: Tickets;
  readonly clock: { now: number };
  readonly issue: (over?: Partial<TicketWish>) => Promise<string>;
}

function desk(options: TicketsOptions = {}): Desk {
  const clock = { now: 1_000_000 };
  const entry = tickets({ now: () => clock.now, ...options });
  const issue = async (over: Partial<TicketWish> = {}): Promise<string> =>
    (await entry.issue({ ...wish, ...over })).ticket;
  return { entry, clock, issue };
}

const carrying = (ticket: string, sketch: HandshakeSketch = {}): Handshake =>
  handshakeOf({ target: `/chat?ticket=${ticket}`, ...sketch });

/** The reason of the refusal, or what the check has found. */
async function outcomeOf(
  check: Check<{ identity: Identity }>,
  handshake: Handshake,
): Promise<unknown> {
  const answer = await check(handshake);
  return answer.ok ? answer.facts.identity : [answer.code, answer.reason];
}

describe("a ticket", () => {
  it("is 256 random bits in base64url, with its end", async () => {
    const { entry, clock } = desk();
    const { ticket, expiresAt } = await entry.issue(wish);
    expect(ticket).toMatch(/^[\w-]{43}$/);
    expect(expiresAt).toBe(clock.now + 30_000);
    const others = await Promise.all(Array.from({ length: 20 }, () => entry.issue(wish)));
    expect(new Set([ticket, ...others.map((other) => other.ticket)]).size).toBe(21);
  });

  it("authenticates whom it was issued to", async () => {
    const { entry, issue, clock } = desk();
    const expiresAt = clock.now + 3_600_000;
    const ticket = await issue({ claims: { roles: ["member"] }, expiresAt });
    const identity = await outcomeOf(entry, carrying(ticket));
    const claims = { roles: ["member"] };
    expect(identity).toEqual({ subject: "ada", scheme: "ticket", claims, expiresAt });
    expect(Object.isFrozen((identity as Identity).claims.roles)).toBe(true);
  });

  it("says nothing of claims and an end where there are none", async () => {
    const { entry, issue } = desk();
    expect(await outcomeOf(entry, carrying(await issue()))).toEqual({
      subject: "ada",
      scheme: "ticket",
      claims: {},
      expiresAt: undefined,
    });
  });

  it("keeps claims as they were when it was issued", async () => {
    const { entry, issue } = desk();
    const roles = ["member"];
    const ticket = await issue({ claims: { roles } });
    roles.push("owner");
    expect(await outcomeOf(entry, carrying(ticket))).toMatchObject({
      claims: { roles: ["member"] },
    });
  });

  it("is good for one handshake", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    expect(await askedOf(entry, carrying(ticket))).toBe("allow");
    expect(await outcomeOf(entry, carrying(ticket))).toEqual([
      "ticket_invalid",
      "unknown or spent",
    ]);
  });

  it("is won by one of many that come at once", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => askedOf(entry, carrying(ticket))),
    );
    expect(answers.filter((answer) => answer === "allow")).toHaveLength(1);
    expect(answers.filter((answer) => answer === "ticket_invalid")).toHaveLength(49);
  });

  it("is spent once by one handshake, however many guards and branches ask", async () => {
    const { entry, issue } = desk();
    const handshake = carrying(await issue());
    const failing: Check = () => refuse("forbidden");
    const both = guard(origin([page]), any(guardedBy(entry, failing), entry));
    expect(await askedOf(both, handshake)).toBe("allow");
    expect(await askedOf(guard(origin([page]), entry), handshake)).toBe("allow");
    expect(await askedOf(entry, carrying("x"))).toBe("ticket_invalid");
  });

  it("lasts until its end, and not a millisecond longer", async () => {
    const { entry, issue, clock } = desk({ lifetimeMs: 5_000 });
    const [first, second] = [await issue(), await issue()];
    clock.now += 4_999;
    expect(await askedOf(entry, carrying(first))).toBe("allow");
    clock.now += 1;
    expect(await outcomeOf(entry, carrying(second))).toEqual(["ticket_invalid", "expired"]);
  });

  it("does not outlast the session behind it", async () => {
    const { entry, clock } = desk();
    const { ticket, expiresAt } = await entry.issue({ ...wish, expiresAt: clock.now + 10 });
    expect(expiresAt).toBe(clock.now + 10);
    clock.now += 10;
    expect(await outcomeOf(entry, carrying(ticket))).toEqual(["ticket_invalid", "expired"]);
  });

  it.each<[string, HandshakeSketch, string]>([
    ["another path", { target: "/admin?ticket=T" }, "for another path"],
    ["a longer path", { target: "/chat/2?ticket=T" }, "for another path"],
    ["another spelling of the path", { target: "/CHAT?ticket=T" }, "for another path"],
    ["another origin", { headers: { origin: "https://evil.example" } }, "for another origin"],
    ["another scheme", { headers: { origin: "http://app.example.com" } }, "for another origin"],
    ["no origin", { headers: { origin: undefined } }, "for another origin"],
  ])("at %s is refused, and spent by that", async (_, sketch, reason) => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const { target = "/chat?ticket=T" } = sketch;
    const elsewhere = carrying(ticket, { ...sketch, target: target.replace("=T", `=${ticket}`) });
    expect(await outcomeOf(entry, elsewhere)).toEqual(["ticket_invalid", reason]);
    expect(await outcomeOf(entry, carrying(ticket))).toEqual([
      "ticket_invalid",
      "unknown or spent",
    ]);
  });

  it("stays unspent where a check before it refuses", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const chat = guard(origin([page]), entry);
    const foreign = carrying(ticket, { headers: { origin: "https://evil.example" } });
    expect(await askedOf(chat, foreign)).toBe("origin_denied");
    expect(await askedOf(chat, carrying(ticket))).toBe("allow");
  });

  it("is spent where a check behind it refuses", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    expect(
      await askedOf(
        guard(origin([page]), entry, () => refuse("forbidden")),
        carrying(ticket),
      ),
    ).toBe("forbidden");
    expect(await askedOf(entry, carrying(ticket))).toBe("ticket_invalid");
  });

  it("may be for several paths", async () => {
    const { entry, issue } = desk();
    const paths = ["/chat", "/news"];
    const [first, second] = [await issue({ path: paths }), await issue({ path: paths })];
    expect(await askedOf(entry, carrying(first))).toBe("allow");
    expect(await askedOf(entry, carrying("", { target: `/news?ticket=${second}` }))).toBe("allow");
  });

  it("may be for clients that send no origin, and for those alone", async () => {
    const { entry, issue } = desk();
    const [first, second] = [
      await issue({ origin: undefined }),
      await issue({ origin: undefined }),
    ];
    expect(await askedOf(entry, carrying(first, { headers: { origin: undefined } }))).toBe("allow");
    expect(await askedOf(entry, carrying(second))).toBe("ticket_invalid");
  });
});

describe("a ticket that is bound to an address", () => {
  it.each<[string, string, string | undefined, unknown]>([
    ["the same", "203.0.113.7", "203.0.113.7", "allow"],
    ["another spelling of it", "::ffff:203.0.113.7", "203.0.113.7", "allow"],
    ["another", "203.0.113.7", "203.0.113.8", "ticket_invalid"],
    ["one that cannot be told", "203.0.113.7", undefined, "ticket_invalid"],
  ])("is asked for at %s", async (_, address, peer, expected) => {
    const { entry, issue } = desk({ bindAddress: true });
    expect(await askedOf(entry, carrying(await issue({ address }), { peer }))).toBe(expected);
  });

  it("is not issued without one", async () => {
    const { issue } = desk({ bindAddress: true });
    await expect(issue()).rejects.toThrow("ERR_FIRMSHAKE_OPTION_MISSING");
    await expect(issue({ address: "somewhere" })).rejects.toThrow("ERR_FIRMSHAKE_OPTION_INVALID");
  });

  it("is not taken of a store that others use without addresses", async () => {
    const { store } = spiedStore();
    const ticket = await desk({ store }).issue({ address: "203.0.113.7" });
    const { entry } = desk({ store, bindAddress: true });
    expect(await outcomeOf(entry, carrying(ticket, { peer: undefined }))).toEqual([
      "ticket_invalid",
      "for another address",
    ]);
  });
});

describe("what is no ticket", () => {
  it.each([
    ["an unknown one", "A".repeat(43), "unknown or spent"],
    ["one too short", "A".repeat(42), "not a ticket"],
    ["one too long", "A".repeat(9_000), "not a ticket"],
    ["letters of no alphabet", `${"A".repeat(42)}!`, "not a ticket"],
    ["spare bits", `${"A".repeat(42)}B`, "not a ticket"],
    ["nothing", "", "not a ticket"],
  ])("%s gets the one answer that all get", async (_, text, reason) => {
    const { entry } = desk();
    expect(await entry(carrying(text))).toMatchObject({
      code: "ticket_invalid",
      status: 401,
      reason,
      headers: [["WWW-Authenticate", `Bearer realm="websocket", error="invalid_token"`]],
    });
  });

  it.each<[string, HandshakeSketch, string]>([
    ["none", { target: "/chat" }, "token_missing"],
    ["two", { target: "/chat?ticket=a&ticket=b" }, "token_ambiguous"],
  ])("%s at all is refused as tokens are", async (_, sketch, code) => {
    expect(await askedOf(desk().entry, handshakeOf(sketch))).toBe(code);
  });

  it("never reaches the store", async () => {
    const { store, taken } = spiedStore();
    await askedOf(desk({ store }).entry, carrying("short"));
    expect(taken).toEqual([]);
  });
});

describe("what holds the ticket", () => {
  it("is taken out of the query, whatever becomes of it", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    for (const expected of ["allow", "ticket_invalid"]) {
      const handshake = carrying("", { target: `/chat?room=1&ticket=${ticket}&lang=en` });
      expect(await askedOf(entry, handshake)).toBe(expected);
      expect(rewriteOf(handshake)?.target).toBe("/chat?room=1&lang=en");
    }
  });

  it("is taken out of the subprotocols", async () => {
    const { entry, issue } = desk();
    const headers = { "sec-websocket-protocol": `chat, bearer, ${await issue()}` };
    const verdict = await guard(origin([page]), entry).decide(handshakeOf({ headers }));
    expect(verdict.ok && withoutSecrets(verdict.permit).protocols).toEqual(["chat", "bearer"]);
  });

  it("is taken out where the check did not get to run", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const handshake = carrying(ticket);
    const report = guard({
      checks: [origin([page]), () => refuse("forbidden"), entry],
      mode: "report",
    });
    const verdict = await report.decide(handshake);
    expect(verdict.ok && withoutSecrets(verdict.permit).target).toBe("/chat");
    expect(await askedOf(entry, carrying(ticket))).toBe("allow");
  });

  it("is looked for where the options say", async () => {
    const { entry, issue } = desk({ from: [subprotocolToken("phoenix"), queryToken("t")] });
    const ticket = await issue();
    expect(await askedOf(entry, carrying(ticket))).toBe("token_missing");
    expect(await askedOf(entry, handshakeOf({ target: `/chat?t=${ticket}` }))).toBe("allow");
  });

  it("may be a token for another check", async () => {
    const { entry, issue } = desk();
    const keys = new Uint8Array(32);
    const either = guard(
      origin([page]),
      any(jwt({ issuer: "https://id.example.com", audience: "chat", keys }), entry),
    );
    expect(await askedOf(either, carrying(await issue()))).toBe("allow");
    expect(await askedOf(either, carrying("A".repeat(43)))).toBe("ticket_invalid");
  });
});

describe("the store", () => {
  it("sees neither the ticket nor the same key twice", async () => {
    const { store, put } = spiedStore();
    const { issue, clock } = desk({ store });
    const issued = [await issue(), await issue()];
    expect(new Set(put.map(([key]) => key)).size).toBe(2);
    for (const ticket of issued) expect(JSON.stringify(put)).not.toContain(ticket);
    const [[key, kept] = []] = put;
    expect(key).toMatch(/^[\w-]{43}$/);
    expect(kept).toMatchObject({ subject: "ada", expiresAt: clock.now + 30_000 });
  });

  it.each<[string, TicketStore["take"]]>([
    [
      "throws",
      () => {
        throw new Error("down");
      },
    ],
    ["rejects", () => Promise.reject(new Error("down"))],
  ])("that %s refuses, retryably", async (_, take) => {
    const { entry } = desk({ store: { ...spiedStore().store, take } });
    const answer = await entry(carrying("A".repeat(43)));
    expect(answer).toMatchObject({
      code: "tickets_unavailable",
      status: 503,
      cause: new Error("down"),
      headers: [["Retry-After", "5"]],
    });
  });

  it.each([
    ["null", null, "ticket_invalid"],
    ["no JSON", "x", "check_failed"],
    ["JSON of something else", "null", "check_failed"],
    [
      "a record without an end",
      `{"subject":"ada","paths":["/chat"],"origin":"${page}"}`,
      "ticket_invalid",
    ],
    ["something else", 1, "ticket_invalid"],
  ])("that answers %s lets nobody in", async (_, text, code) => {
    const store = { ...spiedStore().store, take: () => text as string };
    const chat = guard(origin([page]), desk({ store }).entry);
    expect(await askedOf(chat, carrying("A".repeat(43)))).toBe(code);
  });

  it.each([
    ["has no room", () => false, "no room"],
    ["answers something else", () => "OK" as never, "no room"],
    ["rejects", () => Promise.reject(new Error("down")), "down"],
  ])("that %s makes issuing reject", async (_, put, message) => {
    const { issue } = desk({ store: { ...spiedStore().store, put } });
    await expect(issue()).rejects.toThrow(message);
  });
});

describe("the options", () => {
  it("show in explain()", () => {
    const text = (options: TicketsOptions): string =>
      guard(insecureAnyOrigin(), tickets(options)).explain();
    expect(text({})).toContain(
      `tickets: for 30 s, by origin and path; from query "ticket", subprotocol (bearer); in memory, at most 100000`,
    );
    const { store } = spiedStore();
    expect(text({ bindAddress: true, store })).toContain("by origin, address and path");
    expect(text({ store })).toContain("; in a store");
  });

  it("count a cookie as one", () => {
    const ambient = { ...queryToken("ticket"), isAmbient: true };
    expect(thrownBy(() => guard(insecureAnyOrigin(), tickets({ from: [ambient] })))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
  });

  it.each<[object]>([
    [{ lifetimeMs: 0 }],
    [{ lifetimeMs: 300_001 }],
    [{ store: {} }],
    [{ store: null }],
    [{ from: [] }],
    [{ from: [null] }],
    [{ bindAddress: "yes" }],
    [{ now: 1 }],
  ])("%j is refused", (options) => {
    expect(thrownBy(() => tickets(options))).toContain("ERR_FIRMSHAKE_OPTION_INVALID");
  });

  it.each<[object]>([
    [{ subject: "" }],
    [{ claims: "x" }],
    [{ path: "chat" }],
    [{ path: "/chat?x" }],
    [{ path: "/rooms/*" }],
    [{ path: [] }],
    [{ path: ["/chat", "news"] }],
    [{ origin: "null" }],
    [{ origin: "https://app.example.com/" }],
    [{ origin: 1 }],
    [{ expiresAt: Number.NaN }],
  ])("a wish for %j is refused", async (over) => {
    await expect(desk().issue(over)).rejects.toThrow("ERR_FIRMSHAKE_OPTION_INVALID");
  });

  it("take origins of other schemes", async () => {
    const origin = "chrome-extension://abc";
    const { entry, issue } = desk();
    expect(await askedOf(entry, carrying(await issue({ origin }), { headers: { origin } }))).toBe(
      "allow",
    );
  });
});

const guardedBy =
  (first: Check<{ identity: Identity }>, second: Check): Check =>
  async (handshake) => {
    await first(handshake);
    return second(handshake);
  };

function spiedStore(): {
  readonly store: TicketStore;
  readonly put: (readonly [string, StoredTicket])[];
  readonly taken: string[];
} {
  const put: (readonly [string, StoredTicket])[] = [];
  const taken: string[] = [];
  const store: TicketStore = {
    put: (key, ticket) => {
      put.push([key, ticket]);
      return true;
    },
    take: (key) => {
      taken.push(key);
      const at = put.findIndex(([known]) => known === key);
      return at === -1 ? undefined : put.splice(at, 1)[0]?.[1].record;
    },
  };
  return { store, put, taken };
}
