import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import {
  type Check,
  cookieToken,
  guard,
  type Identity,
  type IntrospectionOptions,
  introspection,
  origin,
  type Refusal,
} from "@firmshake/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { askedOf, handshakeOf, thrownBy, wordOf } from "../../support/handshakes.ts";
import { audience, seconds } from "./signing.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

interface Question {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly form: Record<string, string>;
}

let asked: Question[];
let answer: Answer;
let base: string;
let close: () => Promise<unknown>;
/** Resolves with the next question, before it is answered. */
let nextQuestion: () => Promise<void>;

const json =
  (value: unknown, type = "application/json"): Answer =>
  (response) =>
    void response
      .setHeader("Content-Type", type)
      .end(typeof value === "string" ? value : JSON.stringify(value));
const active = (changed: Record<string, unknown> = {}): Answer =>
  json({
    active: true,
    sub: "ann",
    aud: audience,
    exp: seconds() + 300,
    token_type: "Bearer",
    ...changed,
  });
const inactive: Answer = json({ active: false });

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_800_000_000_000 });
  asked = [];
  answer = active();
  const waiting: (() => void)[] = [];
  nextQuestion = () => new Promise((resolve) => waiting.push(resolve));
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    asked.push({ method, url, headers, form });
    answer(response, request);
    waiting.shift()?.();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await close();
});

const proof = { clientId: "chat", clientSecret: "secret" } as const;
const checking = (
  options: Partial<IntrospectionOptions> = {},
): Check<{ readonly identity: Identity }> =>
  introspection({ endpoint: `${base}/introspect`, audience, ...proof, ...options });
const withToken = (token = "opaque", signal?: AbortSignal): ReturnType<typeof handshakeOf> =>
  handshakeOf({
    headers: { authorization: `Bearer ${token}` },
    ...(signal === undefined ? {} : { signal }),
  });
const ask = (check: Check<object>, token = "opaque"): Promise<string> =>
  askedOf(check, withToken(token));
const refusalOf = async (check: Check<object>, token = "opaque"): Promise<Refusal> => {
  const decision = await check(withToken(token));
  if (decision.ok) throw new Error("It was let in.");
  return decision;
};

describe("a question about a token", () => {
  it("is asked as RFC 7662 §2.1 has it", async () => {
    expect(await ask(checking(), "a+b/c==")).toBe("allow");
    expect(asked).toEqual([
      {
        method: "POST",
        url: "/introspect",
        headers: expect.objectContaining({
          accept: "application/json",
          "content-type": "application/x-www-form-urlencoded",
          authorization: `Basic ${btoa("chat:secret")}`,
        }),
        form: { token: "a+b/c==", token_type_hint: "access_token" },
      },
    ]);
  });

  it("encodes name and secret as RFC 6749 §2.3.1 has it", async () => {
    await ask(checking({ clientId: "chat:1", clientSecret: "ä +%" }));
    const [, value = ""] = asked[0]?.headers.authorization?.split(" ") ?? [];
    expect(Buffer.from(value, "base64").toString()).toBe("chat%3A1:%C3%A4+%2B%25");
  });

  it.each<[string, IntrospectionOptions["authorization"]]>([
    ["a text", "Bearer of-the-server"],
    ["a function", () => "Bearer of-the-server"],
    ["a function that takes its time", async () => "Bearer of-the-server"],
  ])("may be authorized by %s instead", async (_, authorization) => {
    const check = introspection({
      endpoint: new URL(`${base}/introspect`),
      audience,
      ...(authorization === undefined ? {} : { authorization }),
    });
    expect(await ask(check)).toBe("allow");
    expect(asked[0]?.headers.authorization).toBe("Bearer of-the-server");
  });

  it.each<[string, () => unknown]>([
    ["throws", () => JSON.parse("{")],
    ["rejects", () => Promise.reject(new Error("no token"))],
    ["gives no text", () => undefined],
    ["gives no header", () => "Bearer a\r\nHost: b"],
  ])("is not asked where that function %s", async (_, authorization) => {
    const check = introspection({
      endpoint: `${base}/introspect`,
      audience,
      authorization: authorization as () => string,
    });
    expect(await ask(check)).toBe("keys_unavailable");
    expect(asked).toEqual([]);
  });

  it("is asked by the fetch that was given", async () => {
    const given = vi.fn<typeof fetch>((...request) => fetch(...request));
    expect(await ask(checking({ fetch: given }))).toBe("allow");
    expect(given.mock.calls[0]?.[1]?.redirect).toBe("error");
  });

  it("is not asked about what is no token, or a longer one than told", async () => {
    const check = checking({ maxTokenBytes: 3 });
    expect(await askedOf(check, handshakeOf())).toBe("token_missing");
    expect(await ask(check, "long")).toBe("token_malformed");
    expect(asked).toEqual([]);
  });
});

describe("an answer", () => {
  it("tells who it is: subject, claims and end, frozen to the depth", async () => {
    const claims = {
      active: true,
      sub: "ann",
      aud: [audience],
      exp: seconds() + 60,
      ext: { a: [1] },
    };
    answer = json(claims);
    const decision = await checking()(withToken());
    if (!decision.ok) throw new Error(decision.reason);
    const { identity } = decision.facts;
    expect(identity).toEqual({
      subject: "ann",
      scheme: "bearer",
      claims,
      expiresAt: claims.exp * 1000,
    });
    expect(Object.isFrozen((identity.claims.ext as { a: object }).a)).toBe(true);
  });

  it.each<[string, Record<string, unknown>, Partial<IntrospectionOptions>?]>([
    ["of this audience among others", { aud: ["other", audience] }],
    ["of one of several names", {}, { audience: ["other", audience] }],
    [
      "of no audience, where that is allowed",
      { aud: undefined },
      { insecureAllowMissingAudience: true },
    ],
    [
      "without an end, where that is allowed",
      { exp: undefined },
      { insecureAllowMissingExpiry: true },
    ],
    ["that ended within the tolerance", { exp: 1_799_999_990 }, { clockToleranceSeconds: 11 }],
    ["that begins now", { nbf: 1_800_000_000 }],
    ["that begins within the tolerance", { nbf: 1_800_000_010 }, { clockToleranceSeconds: 10 }],
    ["without a type", { token_type: undefined }],
    ["of the type in lower case", { token_type: "bearer" }],
    ["of the issuer", { iss: "https://id.example.com" }, { issuer: "https://id.example.com" }],
    ["of no issuer", {}, { issuer: "https://id.example.com" }],
    ["of whichever issuer, where none is given", { iss: "https://id.example.com" }],
    ["of a client", { sub: undefined, client_id: "app" }, { subjectClaim: "client_id" }],
  ])("lets in a token %s", async (_, changed, options) => {
    answer = active(changed);
    expect(await ask(checking(options))).toBe("allow");
  });

  it.each<[string, Record<string, unknown>, string, Partial<IntrospectionOptions>?]>([
    ["that is not active", { active: false }, "not active"],
    ["for another audience", { aud: "other" }, "aud"],
    ["for other audiences", { aud: ["other", [audience]] }, "aud"],
    [
      "for another, though it may be for none",
      { aud: "other" },
      "aud",
      { insecureAllowMissingAudience: true },
    ],
    ["for an object", { aud: { [audience]: true } }, "aud"],
    ["for nobody in particular", { aud: undefined }, "aud"],
    ["that has ended", { exp: 1_800_000_000 }, "exp"],
    [
      "that has ended, though it may have no end",
      { exp: 1 },
      "exp",
      { insecureAllowMissingExpiry: true },
    ],
    ["that ends in words", { exp: "tomorrow" }, "exp"],
    ["without an end", { exp: undefined }, "exp"],
    ["that has not begun", { nbf: 1_800_000_001 }, "nbf"],
    ["that begins in words", { nbf: "today" }, "nbf"],
    ["of another type", { token_type: "DPoP" }, "token_type"],
    ["of a type that is no text", { token_type: ["Bearer"] }, "token_type"],
    ["that is bound to a key", { cnf: { jkt: "a" } }, "cnf"],
    [
      "of another issuer",
      { iss: "https://evil.example" },
      "iss",
      { issuer: "https://id.example.com" },
    ],
    [
      "of a client, whose name is not taken for a user's",
      { sub: undefined, client_id: "app" },
      "no sub",
    ],
    ["with an empty subject", { sub: "" }, "no sub"],
    ["with a subject that is no text", { sub: 7 }, "no sub"],
    ["with a subject of every object", {}, "no toString", { subjectClaim: "toString" }],
  ])("refuses a token %s", async (_, changed, reason, options) => {
    answer = active(changed);
    const refusal = await refusalOf(checking(options));
    expect(refusal).toMatchObject({ code: "token_invalid", status: 401, reason });
    expect(refusal.headers).toEqual([
      ["WWW-Authenticate", 'Bearer realm="websocket", error="invalid_token"'],
    ]);
  });

  it("never ends where JSON has an infinite number", async () => {
    answer = json(`{"active":true,"sub":"ann","aud":"${audience}","exp":1e999}`);
    expect(await ask(checking())).toBe("token_invalid");
  });
});

describe("what is no answer", () => {
  const noWord = "The answer does not say whether the token is active.";

  it.each<[string, Answer, string]>([
    ["null", json("null"), noWord],
    ["a text", json('"active"'), noWord],
    ["a list", json([{ active: true }]), noWord],
    ["nothing in it", json({}), noWord],
    ["active in its prototype", json('{"__proto__":{"active":true}}'), noWord],
    ["active as a text", json({ active: "true" }), noWord],
    ["active as a number", json({ active: 1 }), noWord],
    ["half of JSON", json('{"active":'), "The answer is no JSON."],
    ["a page", json("<html>", "text/html"), "The answer is no application/json."],
    ["JSON as a page", json({ active: true }, "text/html"), "The answer is no application/json."],
    [
      "a signed answer that was not asked for",
      json("a.b.c", "application/token-introspection+jwt"),
      "The answer is no application/json.",
    ],
    ["more than a mebibyte", json(" ".repeat((1 << 20) + 1)), "The answer is too large."],
    [
      "an error",
      (response) => void response.writeHead(500).end(),
      "The answer has the status 500.",
    ],
    [
      "a stranger's proof",
      (response) => void response.writeHead(401).end(),
      "The answer has the status 401.",
    ],
    [
      "a redirect",
      (response) => void response.writeHead(307, { Location: "/elsewhere" }).end(),
      "TypeError",
    ],
    ["a connection cut", (response) => void response.destroy(), "TypeError"],
  ])("refuses by 503, to come again: %s", async (_, given, reason) => {
    answer = given;
    const check = checking({ cache: { maxTokens: 10 } });
    const refusal = await refusalOf(check);
    expect(refusal).toMatchObject({ code: "keys_unavailable", status: 503, reason });
    expect(refusal.headers).toEqual([["Retry-After", "5"]]);
    expect(asked).toHaveLength(1);
    answer = active();
    expect(await ask(check)).toBe("allow");
  });

  it("counts the last of two words, as JSON does", async () => {
    answer = json('{"active":true,"active":false}');
    expect(await ask(checking())).toBe("token_invalid");
  });

  it("may be one without an end, which is cut off within its bound of bytes", async () => {
    let sent = 0;
    let isClosed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      isClosed = new Promise((resolve) => response.on("close", resolve));
      response.setHeader("Content-Type", "application/json");
      const chunk = " ".repeat(1 << 16);
      const write = (): void => {
        do sent += chunk.length;
        while (!response.destroyed && sent < 10 << 20 && response.write(chunk));
      };
      response.on("drain", write);
      write();
    };
    expect((await refusalOf(checking())).reason).toBe("The answer is too large.");
    await isClosed;
    expect(sent).toBeLessThan(10 << 20);
  });

  it("may be one that does not come in time", async () => {
    answer = () => undefined;
    expect((await refusalOf(checking({ timeoutMs: 20 }))).reason).toBe("TimeoutError");
    const deaf = (): Promise<Response> => new Promise(() => undefined);
    expect(await ask(checking({ timeoutMs: 20, fetch: deaf }))).toBe("keys_unavailable");
  });

  it("shows no secret and no token, in no word of the refusal", async () => {
    const refused: Refusal[] = [];
    for (const given of [json("opaque secret"), inactive, json({}, "text/html")]) {
      answer = given;
      refused.push(await refusalOf(checking()));
    }
    await close();
    refused.push(await refusalOf(checking()));
    for (const { reason, detail, headers, cause } of refused) {
      const shown = [reason, detail, headers, String(cause), (cause as Error | undefined)?.stack];
      expect(JSON.stringify(shown)).not.toMatch(/opaque|secret/);
    }
  });
});

/** Resolves when every handshake that was begun since has joined its question: what makes them wait before is the digest alone. */
function joining(): () => Promise<void> {
  const digest = vi.spyOn(crypto.subtle, "digest");
  return async () => {
    await Promise.all(digest.mock.results.map(({ value }) => value));
    await new Promise((resolve) => setImmediate(resolve));
  };
}

/** Holds answers back until they are released. */
function holding(): () => void {
  const releases: (() => void)[] = [];
  answer = (response, request) => void releases.push(() => active()(response, request));
  return () => {
    for (const release of releases.splice(0)) release();
  };
}

describe("one token in many handshakes", () => {
  it("is asked about once at a time", async () => {
    const [release, arrived, joined] = [holding(), nextQuestion(), joining()];
    const check = checking();
    const answers = Promise.all(Array.from({ length: 20 }, () => ask(check)));
    await Promise.all([arrived, joined()]);
    release();
    expect(new Set(await answers)).toEqual(new Set(["allow"]));
    expect(asked).toHaveLength(1);
    answer = active();
    await ask(check);
    expect(asked).toHaveLength(2);
  });

  it("is asked about on, where one of them leaves, and no longer when all have left", async () => {
    const check = checking();
    const clients = [new AbortController(), new AbortController(), new AbortController()];
    const begin = (): Promise<string>[] =>
      clients.map(({ signal }) => askedOf(check, withToken("opaque", signal)));
    const [release, joined] = [holding(), joining()];
    let arrived = nextQuestion();
    const answers = begin();
    await Promise.all([arrived, joined()]);
    clients[0]?.abort();
    release();
    expect((await Promise.all(answers)).slice(1)).toEqual(["allow", "allow"]);

    let isClosed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      isClosed = new Promise((resolve) => response.on("close", resolve));
    };
    clients[0] = new AbortController();
    arrived = nextQuestion();
    const left = begin();
    await Promise.all([arrived, joined()]);
    for (const client of clients) client.abort();
    await isClosed;
    expect(new Set(await Promise.all(left))).toEqual(new Set(["keys_unavailable"]));
    answer = active();
    expect(await ask(check)).toBe("allow");
    expect(asked).toHaveLength(3);
  });

  it("is asked about anew by who comes in the moment that the last has left", async () => {
    answer = () => undefined;
    const check = checking();
    const client = new AbortController();
    const arrived = nextQuestion();
    const left = askedOf(check, withToken("opaque", client.signal));
    await arrived;
    answer = active();
    client.abort();
    expect(await Promise.all([ask(check), left])).toEqual(["allow", "keys_unavailable"]);
  });

  it("is not asked about for a client that has left before", async () => {
    expect(wordOf(await checking()(withToken("opaque", AbortSignal.abort())))).toBe(
      "keys_unavailable",
    );
    expect(asked).toEqual([]);
  });
});

describe("many tokens", () => {
  it("are asked about within a bound, and refused by 503 beyond it", async () => {
    const [release, joined] = [holding(), joining()];
    const check = checking({ maxPending: 2 });
    const arrived = [nextQuestion(), nextQuestion()];
    const answers = ["a", "b"].map((token) => ask(check, token));
    await Promise.all(arrived);
    const refusal = await refusalOf(check, "c");
    expect(refusal).toMatchObject({
      code: "keys_unavailable",
      reason: "Too many questions are under way.",
    });
    const shared = ask(check, "a");
    await joined();
    release();
    expect(await Promise.all([...answers, shared])).toEqual(["allow", "allow", "allow"]);
    answer = active();
    expect(await ask(check, "c")).toBe("allow");
  });
});

describe("a cache", () => {
  it("remembers a good token for as long as told, and a revoked one no longer", async () => {
    const check = checking({ cache: { maxTokens: 10 } });
    expect(await ask(check)).toBe("allow");
    answer = inactive;
    vi.advanceTimersByTime(9_999);
    expect(await ask(check)).toBe("allow");
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await ask(check)).toBe("token_invalid");
  });

  it("remembers no token beyond its own end", async () => {
    const check = checking({ cache: { maxTokens: 10, maxAgeMs: 1e9 } });
    expect(await ask(check)).toBe("allow");
    vi.advanceTimersByTime(300_000);
    expect(await ask(check)).toBe("token_invalid");
    expect(asked).toHaveLength(2);
  });

  it("remembers a refused token for a short while", async () => {
    answer = inactive;
    const check = checking({ cache: { maxTokens: 10 } });
    expect(await ask(check)).toBe("token_invalid");
    answer = active();
    vi.advanceTimersByTime(4_999);
    expect(await ask(check)).toBe("token_invalid");
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(await ask(check)).toBe("allow");
  });

  it("is bounded, and lets made-up tokens crowd out no good ones", async () => {
    const check = checking({ cache: { maxTokens: 2, maxAgeMs: 60_000, maxRefusedAgeMs: 60_000 } });
    expect(await ask(check, "good")).toBe("allow");
    answer = inactive;
    for (const token of ["a", "b", "c"]) expect(await ask(check, token)).toBe("token_invalid");
    expect(asked).toHaveLength(4);
    expect(await ask(check, "good")).toBe("allow");
    expect(await ask(check, "c")).toBe("token_invalid");
    expect(asked).toHaveLength(4);
    expect(await ask(check, "a")).toBe("token_invalid");
    expect(asked).toHaveLength(5);
  });

  it("is none where none is asked for", async () => {
    const check = checking();
    expect(await ask(check)).toBe("allow");
    answer = inactive;
    expect(await ask(check)).toBe("token_invalid");
  });
});

describe("the endpoint", () => {
  const byIssuer = (options: Partial<IntrospectionOptions> = {}): Check<object> =>
    introspection({ issuer: base, audience, ...proof, ...options });
  const publishing =
    (path: string, then: Answer = active({ iss: base, exp: 1_900_000_000 })): Answer =>
    (response, request) =>
      request.method === "GET"
        ? json({ issuer: base, introspection_endpoint: `${base}${path}` })(response, request)
        : then(response, request);
  const paths = (): readonly string[] => asked.map(({ method, url }) => `${method} ${url}`);
  const metadata = "GET /.well-known/openid-configuration";

  it("is found by discovery, once for all tokens, and renewed without anybody waiting", async () => {
    answer = publishing("/ask");
    const check = byIssuer();
    expect(await Promise.all(["a", "b"].map((token) => ask(check, token)))).toEqual([
      "allow",
      "allow",
    ]);
    expect(paths()).toEqual([metadata, "POST /ask", "POST /ask"]);
    asked = [];
    answer = publishing("/moved");
    vi.advanceTimersByTime(600_000);
    expect(await ask(check)).toBe("allow");
    expect(paths()).toEqual(["POST /ask"]);
    vi.advanceTimersByTime(1);
    expect(await ask(check)).toBe("allow");
    await expect
      .poll(async () => {
        asked = [];
        await ask(check);
        return paths();
      })
      .toEqual(["POST /moved"]);
  });

  it("serves on where it cannot be found anew", async () => {
    answer = publishing("/ask");
    const check = byIssuer();
    expect(await ask(check)).toBe("allow");
    vi.advanceTimersByTime(600_001);
    const failed = nextQuestion();
    answer = (response, request) =>
      request.method === "GET"
        ? void response.writeHead(500).end()
        : active({ iss: base, exp: 1_900_000_000 })(response, request);
    expect(await ask(check)).toBe("allow");
    await failed;
    expect(await ask(check)).toBe("allow");
  });

  it("is looked for again where it could not be found", async () => {
    answer = json({ issuer: "https://evil.example", introspection_endpoint: `${base}/ask` });
    const check = byIssuer();
    expect((await refusalOf(check)).reason).toBe("The metadata is of another issuer.");
    answer = json({ issuer: base });
    expect((await refusalOf(check)).reason).toBe(
      "The metadata has no usable introspection_endpoint.",
    );
    answer = () => undefined;
    expect(await ask(byIssuer({ timeoutMs: 20 }))).toBe("keys_unavailable");
    answer = publishing("/ask");
    expect(await ask(check)).toBe("allow");
  });

  it("must answer of the issuer that named it", async () => {
    answer = publishing("/ask", active({ iss: "https://evil.example" }));
    expect(await ask(byIssuer())).toBe("token_invalid");
  });
});

describe("the policy", () => {
  it("is explained, without what proves who asks", () => {
    const lines = guard(
      introspection({
        issuer: "https://id.example.com",
        endpoint: "https://ask.example.com/a?key=secret",
        audience: ["chat", "files"],
        ...proof,
      }),
      introspection({
        issuer: "https://id.example.com",
        audience,
        authorization: "Bearer secret",
        insecureAllowMissingAudience: true,
        insecureAllowMissingExpiry: true,
      }),
      introspection({ endpoint: "https://ask.example.com/", audience, ...proof }),
    ).explain();
    expect(lines).toContain(
      "introspection: issuer https://id.example.com; audience chat or files; asked at https://ask.example.com; from bearer, subprotocol",
    );
    expect(lines).toContain("endpoint by discovery");
    expect(lines).toContain("! insecureAllowMissingAudience");
    expect(lines).toContain("! insecureAllowMissingExpiry");
    expect(lines).not.toContain("secret");
  });

  it("counts a cookie as one, and withholds tokens of a branch that was not taken", async () => {
    const inCookie = checking({ from: [cookieToken("session")] });
    expect(guard(inCookie).explain()).toContain("origin: same-origin");
    const reporting = guard({
      checks: [origin(["https://app.example.com"]), checking()],
      mode: "report",
    });
    const verdict = await reporting.decide(
      handshakeOf({ headers: { "sec-websocket-protocol": "chat, bearer, opaque" } }),
    );
    expect(verdict.ok).toBe(true);
  });

  it.each<[string, object, string, string]>([
    [
      "no audience",
      { endpoint: "https://a.example" },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"audience" is required',
    ],
    [
      "nobody to ask",
      { audience },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      'give "issuer", "endpoint" or both',
    ],
    [
      "an issuer that cannot be asked",
      { audience, issuer: "a", ...proof },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      'introspection: give "endpoint"; "issuer" is no URL',
    ],
    [
      "an issuer without TLS",
      { audience, issuer: "http://a.example", ...proof },
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      '"issuer" must be an https: URL',
    ],
    [
      "an endpoint without TLS",
      { audience, endpoint: "http://a.example", ...proof },
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      '"endpoint" must be an https: URL',
    ],
    [
      "an endpoint with a password",
      { audience, endpoint: "https://a:b@a.example", ...proof },
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      "without a password",
    ],
    [
      "an endpoint that is no URL",
      { audience, endpoint: "/ask", ...proof },
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      '"endpoint" must be',
    ],
    [
      "nothing that proves who asks",
      { audience, endpoint: "https://a.example" },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"clientId" and "clientSecret", or "authorization"',
    ],
    [
      "a name without a secret",
      { audience, endpoint: "https://a.example", clientId: "a" },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"clientId" and "clientSecret"',
    ],
    [
      "a secret without a name",
      { audience, endpoint: "https://a.example", clientSecret: "a" },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"clientId" and "clientSecret"',
    ],
    [
      "two proofs",
      { audience, endpoint: "https://a.example", ...proof, authorization: "a" },
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      "give either",
    ],
    [
      "a proof that is no header",
      { audience, endpoint: "https://a.example", authorization: "a\nsecret" },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "one line of Latin-1",
    ],
    [
      "a cache without a bound",
      { audience, endpoint: "https://a.example", ...proof, cache: {} },
      "ERR_FIRMSHAKE_OPTION_MISSING",
      '"maxTokens" is required',
    ],
    [
      "no place to look at",
      { audience, endpoint: "https://a.example", ...proof, from: [] },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      "list of token sources",
    ],
  ])("throws at once for %s", (_, options, code, words) => {
    const message = thrownBy(() => introspection(options as IntrospectionOptions));
    expect(message).toContain(code);
    expect(message).toContain(words);
    expect(message).not.toContain('secret"');
  });
});
