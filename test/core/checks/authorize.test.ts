import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import {
  type AuthorizeOptions,
  type Authorizer,
  all,
  allowWith,
  any,
  authorize,
  type Check,
  type Decision,
  guard,
  insecureAnyOrigin,
  jwt,
  origin,
  type Refusal,
  rateLimit,
  refuse,
} from "@firmshake/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { readRetryAfter } from "../../../packages/core/src/authorize/retry-after.ts";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";
import { deferred } from "../../support/server.ts";
import { audience, claims, issuer, secret, tokenOf } from "../tokens/signing.ts";

interface Question {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

let questions: Question[];
let answer: (response: ServerResponse, request: IncomingMessage) => void;
let url: string;
let close: () => Promise<unknown>;

const saying =
  (status: number, body = "", headers: Record<string, string> = {}): typeof answer =>
  (response) =>
    void response.writeHead(status, headers).end(body);
const json = (value: unknown): typeof answer => saying(200, JSON.stringify(value));

beforeEach(async () => {
  questions = [];
  answer = saying(204);
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const { method, url: target, headers } = request;
      questions.push({ method, url: target, headers, body: JSON.parse(body || "null") });
      answer(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ask`;
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
});

afterEach(async () => {
  vi.useRealTimers();
  await close();
});

const decide = async (
  options: AuthorizeOptions = {},
  sketch: HandshakeSketch = {},
): Promise<Decision<object>> => authorize(url, options)(handshakeOf(sketch));
const refusalOf = async (options: AuthorizeOptions = {}): Promise<Refusal> => {
  const decision = await decide(options);
  if (decision.ok) throw new Error("It was allowed.");
  return decision;
};
const unavailable = (reason: string): object => ({
  code: "authorization_unavailable",
  status: 503,
  headers: [["Retry-After", "5"]],
  reason: `authorize: ${reason}`,
});

describe("authorize asks a service", () => {
  it("by a POST of JSON, without the query and without headers that were not named", async () => {
    await decide(
      {
        headers: ["X-Tenant", "Cookie", "X-Absent"],
        requestHeaders: { Authorization: "Bearer s" },
      },
      {
        target: "/chat?token=secret",
        headers: { "x-tenant": ["a", "b"], cookie: "c=d", authorization: "Bearer secret" },
      },
    );
    expect(questions).toHaveLength(1);
    expect(questions[0]).toMatchObject({
      method: "POST",
      url: "/ask",
      headers: { "content-type": "application/json", authorization: "Bearer s" },
    });
    expect(questions[0]?.body).toEqual({
      transport: "websocket",
      method: "GET",
      scheme: "wss",
      host: "app.example.com",
      path: "/chat",
      origin: "https://app.example.com",
      clientAddress: "203.0.113.7",
      headers: { "x-tenant": ["a", "b"], cookie: ["c=d"], "x-absent": [] },
    });
    expect(JSON.stringify(questions[0]?.body)).not.toContain("secret");
  });

  it("and tells it who was authenticated before, however the checks were written", async () => {
    const policy = guard(
      origin(["https://app.example.com"]),
      authorize(url),
      jwt({ issuer, audience, keys: secret }),
    );
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = await tokenOf(claims({ exp, role: "admin" }));
    const handshake = handshakeOf({ headers: { authorization: `Bearer ${token}` } });
    expect(await askedOf(policy, handshake)).toBe("allow");
    expect(questions[0]?.body).toMatchObject({
      identity: {
        subject: "ann",
        scheme: "bearer",
        claims: { role: "admin" },
        expiresAt: exp * 1000,
      },
    });
    expect(handshake.identity?.subject).toBe("ann");
    expect(JSON.stringify(questions[0])).not.toContain(token);
  });

  it("not where another check refused before", async () => {
    const policy = guard(authorize(url), origin(["https://other.example.com"]));
    expect(await askedOf(policy, handshakeOf())).toBe("origin_denied");
    expect(questions).toEqual([]);
  });
});

describe("an answer", () => {
  it.each<[string, () => typeof answer, object]>([
    ["204", () => saying(204), { authorized: {} }],
    ["200 with an empty object", () => json({}), { authorized: {} }],
    ["facts", () => json({ facts: { room: ["a"] } }), { authorized: { room: ["a"] } }],
    [
      "an identity",
      () => json({ identity: { subject: "ann" } }),
      {
        authorized: {},
        identity: { subject: "ann", scheme: "authorize", claims: {}, expiresAt: undefined },
      },
    ],
    [
      "an identity with claims and an end",
      () => json({ identity: { subject: "ann", claims: { a: 1 }, expiresAt: 4e12 }, facts: {} }),
      {
        authorized: {},
        identity: { subject: "ann", scheme: "authorize", claims: { a: 1 }, expiresAt: 4e12 },
      },
    ],
  ])("of %s lets in", async (_, given, facts) => {
    answer = given();
    const decision = await decide();
    expect(decision).toMatchObject({ ok: true });
    expect(decision.ok && decision.facts).toEqual(facts);
  });

  it("is frozen whole", async () => {
    answer = json({
      facts: { room: { name: "a" } },
      identity: { subject: "a", claims: { b: [] } },
    });
    const decision = await authorize(url)(handshakeOf());
    if (!decision.ok) throw new Error("It was refused.");
    const { authorized, identity } = decision.facts;
    expect([authorized, authorized.room, identity, identity?.claims.b].every(Object.isFrozen)).toBe(
      true,
    );
  });

  it.each<[number, Record<string, string>, object]>([
    [401, {}, { code: "unauthorized", headers: [], reason: "authorize: answered 401" }],
    [403, {}, { code: "forbidden", headers: [], reason: "authorize: answered 403" }],
    [429, {}, { code: "rate_limited", headers: [], reason: "authorize: answered 429" }],
    [429, { "Retry-After": "7" }, { code: "rate_limited", headers: [["Retry-After", "7"]] }],
    [429, { "Retry-After": "soon" }, { code: "rate_limited", headers: [] }],
  ])("of %j %j refuses", async (status, headers, refusal) => {
    answer = saying(status, "whatever stands here", headers);
    expect(await refusalOf()).toMatchObject({ ...refusal, detail: undefined });
  });

  it.each<[string, () => typeof answer, string]>([
    ["200 without a body", () => saying(200), "the answer is no JSON"],
    ["200 with a page", () => saying(200, "<html>"), "the answer is no JSON"],
    [
      "no UTF-8",
      () => (response) => void response.end(Buffer.from([0x22, 0xff, 0x22])),
      "TypeError",
    ],
    ["another member", () => json({ allow: false }), "the answer is not as described"],
    ["OPA's no", () => json({ result: false }), "the answer is not as described"],
    ["null", () => json(null), "the answer is not as described"],
    ["a list", () => json([]), "the answer is not as described"],
    ["the text true", () => json("true"), "the answer is not as described"],
    ["true alone", () => json(true), "the answer is not as described"],
    ["false alone", () => json(false), "the answer is not as described"],
    ["facts that are a list", () => json({ facts: [] }), "the answer is not as described"],
    ["an identity that is null", () => json({ identity: null }), "the answer is not as described"],
    ["no subject", () => json({ identity: {} }), "the answer is not as described"],
    [
      "an empty subject",
      () => json({ identity: { subject: "" } }),
      "the answer is not as described",
    ],
    [
      "a subject that is a number",
      () => json({ identity: { subject: 1 } }),
      "the answer is not as described",
    ],
    [
      "claims that are null",
      () => json({ identity: { subject: "a", claims: null } }),
      "the answer is not as described",
    ],
    [
      "an end that is text",
      () => json({ identity: { subject: "a", expiresAt: "1" } }),
      "the answer is not as described",
    ],
    [
      "another member of the identity",
      () => json({ identity: { subject: "a", scheme: "b" } }),
      "the answer is not as described",
    ],
    ["201", () => saying(201, "{}"), "answered 201"],
    ["404", () => saying(404), "answered 404"],
    ["500", () => saying(500), "answered 500"],
    ["503", () => saying(503), "answered 503"],
    ["a redirect", () => saying(302, "", { Location: "/" }), "TypeError"],
    ["a connection that is cut", () => (response) => void response.destroy(), "TypeError"],
    [
      "too many bytes",
      () => saying(200, JSON.stringify({ facts: { a: "b".repeat(65_536) } })),
      "UnusableAnswer",
    ],
    [
      "too many bytes, packed",
      () => (response) => {
        const packed = gzipSync(JSON.stringify({ facts: { a: "b".repeat(1_000_000) } }));
        response.writeHead(200, { "Content-Encoding": "gzip" }).end(packed);
      },
      "UnusableAnswer",
    ],
    [
      "JSON as deep as it goes",
      () => saying(200, `{"facts":{"a":${"[".repeat(30_000)}${"]".repeat(30_000)}}}`),
      "RangeError",
    ],
  ])("of %s is none", async (_, given, reason) => {
    answer = given();
    expect(await refusalOf()).toMatchObject(unavailable(reason));
    expect(questions).toHaveLength(1);
  });

  it("of as many bytes as may be is read", async () => {
    const most = 65_536 - JSON.stringify({ facts: { a: "" } }).length;
    answer = json({ facts: { a: "b".repeat(most) } });
    expect((await decide()).ok).toBe(true);
    answer = json({ facts: { a: "b".repeat(most + 1) } });
    expect((await decide()).ok).toBe(false);
  });

  it("that ends in the past refuses", async () => {
    answer = json({ identity: { subject: "ann", expiresAt: Date.now() - 1 } });
    expect(await refusalOf()).toMatchObject({
      code: "unauthorized",
      reason: "authorize: the identity has ended",
    });
  });

  it("that does not come is not waited for longer than told", async () => {
    answer = () => undefined;
    expect(await refusalOf({ timeoutMs: 30 })).toMatchObject(unavailable("TimeoutError"));
  });

  it("that never ends is not waited for longer than told", async () => {
    answer = (response) => void response.write('{"facts":');
    expect(await refusalOf({ timeoutMs: 30 })).toMatchObject(unavailable("TimeoutError"));
  });

  it("that a fetch of the application never brings is not waited for either", async () => {
    const options = { timeoutMs: 20, fetch: () => new Promise<Response>(() => undefined) };
    expect(await refusalOf(options)).toMatchObject(unavailable("TimeoutError"));
  });

  it("that nobody gives refuses", async () => {
    await close();
    expect(await refusalOf()).toMatchObject(unavailable("TypeError"));
    close = async () => undefined;
  });
});

describe("a question", () => {
  it("ends when the client leaves", async () => {
    const client = new AbortController();
    const left = deferred<void>();
    answer = (response) => {
      response.once("close", () => left.resolve());
      client.abort();
    };
    const policy = guard(insecureAnyOrigin(), authorize(url));
    expect(await askedOf(policy, handshakeOf({ signal: client.signal }))).toBe("client_gone");
    await left.promise;
  });

  it("is not asked when too many are open, and is again afterwards", async () => {
    const waiting: ServerResponse[] = [];
    const bothAsked = deferred<void>();
    answer = (response) => {
      if (waiting.push(response) === 2) bothAsked.resolve();
    };
    const check = authorize(url, { maxPending: 2 });
    const open = [check(handshakeOf()), check(handshakeOf())];
    await bothAsked.promise;
    expect(await check(handshakeOf())).toMatchObject(unavailable("maxPending questions are open"));
    for (const response of waiting) response.writeHead(204).end();
    for (const decision of await Promise.all(open)) expect(decision.ok).toBe(true);
    answer = saying(204);
    expect(await askedOf(check, handshakeOf())).toBe("allow");
  });
});

describe("authorize remembers", () => {
  const key = ({ path }: { readonly path: string }): string | undefined =>
    path === "/never" ? undefined : path;
  const asking = (more: object = {}): Check<object> =>
    authorize(url, { cache: { maxEntries: 2, maxAgeMs: 1_000, key, ...more } });
  const ask = (check: Check<object>, target = "/chat"): Promise<string> =>
    askedOf(check, handshakeOf({ target }));

  it("who was let in, with what was found out", async () => {
    answer = json({ identity: { subject: "ann" }, facts: { room: 1 } });
    const check = asking();
    const [first, second] = [await check(handshakeOf()), await check(handshakeOf())];
    expect(questions).toHaveLength(1);
    expect(first.ok && first.facts).toEqual(second.ok && second.facts);
  });

  it("nobody who was refused, and no failure", async () => {
    const check = asking();
    for (const status of [403, 500]) {
      answer = saying(status);
      expect(await ask(check)).not.toBe("allow");
    }
    answer = saying(204);
    expect(await ask(check)).toBe("allow");
    expect(questions).toHaveLength(3);
  });

  it("for no longer than told", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    const check = asking();
    await ask(check);
    vi.setSystemTime(1_000_999);
    await ask(check);
    expect(questions).toHaveLength(1);
    vi.setSystemTime(1_001_000);
    answer = saying(403);
    expect(await ask(check)).toBe("forbidden");
  });

  it("for no longer than the identity lasts", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    answer = json({ identity: { subject: "ann", expiresAt: 1_000_100 } });
    const check = asking();
    await ask(check);
    vi.setSystemTime(1_000_100);
    expect(await ask(check)).toBe("unauthorized");
    expect(questions).toHaveLength(2);
  });

  it("no more than told", async () => {
    const check = asking();
    for (const target of ["/1", "/2", "/3", "/3", "/1"]) await ask(check, target);
    expect(questions.map(({ body }) => (body as { path: string }).path)).toEqual([
      "/1",
      "/2",
      "/3",
      "/1",
    ]);
  });

  it("nothing without a key", async () => {
    const check = asking();
    await ask(check, "/never");
    await ask(check, "/never");
    expect(questions).toHaveLength(2);
  });

  it.each<[string, unknown]>([
    ["no text", 7],
    ["too long", "a".repeat(1_025)],
  ])("nothing by a key that is %s: it refuses", async (_, bad) => {
    expect(await ask(asking({ key: () => bad as string }))).toBe("check_failed");
    expect(questions).toEqual([]);
  });
});

describe("authorize asks a function", () => {
  const asked = (authorizer: unknown, options?: AuthorizeOptions): Promise<string> =>
    askedOf(authorize(authorizer as Authorizer, options), handshakeOf());

  it("with the handshake, and a signal that ends with the time", async () => {
    let signal: AbortSignal | undefined;
    const check = authorize(
      (_, given) => {
        signal = given;
        return new Promise(() => undefined);
      },
      { timeoutMs: 20 },
    );
    expect(await check(handshakeOf())).toMatchObject(unavailable("TimeoutError"));
    expect(signal?.aborted).toBe(true);
  });

  it.each<[string, unknown, string]>([
    ["true", true, "allow"],
    ["an empty object", {}, "allow"],
    ["facts", { facts: { a: new Date() } }, "allow"],
    ["false", false, "forbidden"],
    ["a refusal", refuse("not_found"), "not_found"],
    ["nothing", undefined, "authorization_unavailable"],
    ["null", null, "authorization_unavailable"],
    ["a text", "yes", "authorization_unavailable"],
    ["1", 1, "authorization_unavailable"],
    ["what another check would answer", allowWith({ a: 1 }), "authorization_unavailable"],
  ])("that answers with %s", async (_, value, word) => {
    expect(await asked(() => value)).toBe(word);
    expect(await asked(async () => value)).toBe(word);
  });

  it.each<[string, () => unknown, string]>([
    ["an error", () => Promise.reject(new RangeError("secret")), "RangeError"],
    ["something else", () => Promise.reject("secret"), "failed"],
  ])("that fails with %s, without a word of it in the reason", async (_, fail, reason) => {
    const check = authorize(fail as Authorizer);
    const decision = await check(handshakeOf());
    expect(decision).toMatchObject(unavailable(reason));
  });

  it("that throws", async () => {
    expect(
      await asked(() => {
        throw new Error("down");
      }),
    ).toBe("authorization_unavailable");
  });

  it("and stands beside other checks", async () => {
    const named = authorize(() => ({ identity: { subject: "ann" } }));
    const policy = guard(
      insecureAnyOrigin(),
      any(all(named, rateLimit({ limit: 1, windowMs: 60_000, key: "identity" })), () =>
        refuse("forbidden"),
      ),
    );
    const handshake = handshakeOf();
    expect(await askedOf(policy, handshake)).toBe("allow");
    expect(handshake.facts).toMatchObject({ identity: { subject: "ann" }, authorized: {} });
  });
});

describe("authorize", () => {
  it("explains itself without the URL's path", () => {
    const cache = { maxEntries: 1, maxAgeMs: 500, key: () => "a" };
    const text = guard(
      authorize("https://policy.example.com/secret?key=1", { headers: ["X-Tenant"], cache }),
      authorize(() => true, { timeoutMs: 50 }),
    ).explain();
    expect(text).toContain(
      "authorize: by https://policy.example.com, within 2000 ms, told X-Tenant, remembered for 500 ms",
    );
    expect(text).toContain("authorize: by a function, within 50 ms");
    expect(text).not.toContain("secret");
  });

  it("that tells of cookies needs an origin check", () => {
    const check = authorize(url, { headers: ["Cookie"] });
    expect(thrownBy(() => guard(insecureAnyOrigin(), check))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
    guard(insecureAnyOrigin(), authorize(url, { headers: ["X-Tenant"] }));
  });

  it.each<[unknown, unknown, string]>([
    [undefined, {}, "give the URL of a service or a function, not undefined"],
    [{}, {}, "give the URL of a service or a function"],
    ["policy", {}, "must be an https: URL"],
    ["http://policy.example.com/", {}, "must be an https: URL"],
    [new URL("ftp://127.0.0.1/"), {}, "must be an https: URL"],
    ["https://user@policy.example.com/", {}, "without a password"],
    ["https://:word@policy.example.com/", {}, "without a password"],
    ["https://policy.example.com/", { timeoutMs: 0 }, `"timeoutMs" must be`],
    ["https://policy.example.com/", { timeout: 1 }, `Did you mean "timeoutMs"?`],
    ["https://policy.example.com/", { maxPending: 0.5 }, `"maxPending" must be`],
    ["https://policy.example.com/", { headers: ["a b"] }, `"headers" must be`],
    ["https://policy.example.com/", { headers: "cookie" }, `"headers" must be`],
    ["https://policy.example.com/", { requestHeaders: { a: "b\n" } }, `"requestHeaders" must be`],
    ["https://policy.example.com/", { requestHeaders: { "a b": "c" } }, `"requestHeaders" must be`],
    ["https://policy.example.com/", { requestHeaders: { a: 1 } }, `"requestHeaders" must be`],
    ["https://policy.example.com/", { requestHeaders: null }, `"requestHeaders" must be`],
    ["https://policy.example.com/", { cache: { maxEntries: 1 } }, `"maxAgeMs" is required`],
    ["https://policy.example.com/", { cache: { maxEntries: 1, maxAgeMs: 1 } }, `"key" is required`],
    [() => true, { headers: ["cookie"] }, `"headers" goes with the URL of a service`],
    [() => true, { fetch: () => undefined }, `"fetch" goes with the URL of a service`],
  ])("cannot be made of %j and %j", (service, options, message) => {
    expect(thrownBy(() => authorize(service as string, options as AuthorizeOptions))).toContain(
      message,
    );
  });
});

describe("Retry-After", () => {
  it.each<[string | null, string | undefined]>([
    [null, undefined],
    ["", undefined],
    ["0", "0"],
    ["120", "120"],
    ["86401", "86400"],
    ["9999999999", undefined],
    ["-1", undefined],
    ["1.5", undefined],
    ["1, 2", undefined],
    ["Thu, 01 Jan 1970 00:20:00 GMT", "200"],
    ["Thu, 01 Jan 1970 00:00:00 GMT", "0"],
    ["Fri, 01 Jan 2100 00:00:00 GMT", "86400"],
    ["Thu, 99 Foo 1970 00:20:00 GMT", undefined],
    ["1970-01-01", undefined],
  ])("of %j is %j", (value, seconds) => {
    vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000 });
    expect(readRetryAfter(value)).toBe(seconds);
  });
});
