import { createHmac } from "node:crypto";
import {
  type Csrf,
  type CsrfOptions,
  cookieToken,
  csrf,
  guard,
  insecureAnyOrigin,
  type MaybePromise,
  origin,
  queryToken,
  refuse,
  subprotocolToken,
  withoutSecrets,
} from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const page = "https://app.example.com";
const start = 1_800_000_000_000;
const secret = new Uint8Array(32).fill(1);
const otherSecret = new Uint8Array(32).fill(2);

interface Desk {
  readonly check: Csrf;
  readonly clock: { now: number };
}

/** A check for whom the header X-Session is what a cookie of the session is to the middleware. */
function desk(options: Partial<CsrfOptions> = {}): Desk {
  const clock = { now: start };
  const check = csrf({
    secret,
    session: ({ headers }) => headers.only("x-session"),
    now: () => clock.now,
    ...options,
  });
  return { check, clock };
}

/** The pair that goes into `Cookie`, of the line that goes into `Set-Cookie`. */
const pairIn = (cookie: string): string => cookie.split(";", 1)[0] ?? "";

interface Halves {
  readonly token: string;
  readonly cookie: string | readonly string[] | undefined;
  readonly session: string | undefined;
}

/** What the page of a session sends. */
async function halvesOf({ check }: Desk, session = "session of ada"): Promise<Halves> {
  const { token, cookie } = await check.issue(session);
  return { token, cookie: pairIn(cookie), session };
}

const showing = (
  { token, cookie, session }: Halves,
  sketch: HandshakeSketch = {},
): ReturnType<typeof handshakeOf> =>
  handshakeOf({
    target: `/chat?csrf=${token}`,
    ...sketch,
    headers: { cookie, "x-session": session, ...sketch.headers },
  });

describe("a token", () => {
  it("lets in the page of its session, as often as it comes", async () => {
    const at = desk();
    const halves = await halvesOf(at);
    expect(await askedOf(at.check, showing(halves))).toBe("allow");
    expect(await askedOf(at.check, showing(halves))).toBe("allow");
  });

  it("is a signature over nonce, session and expiry, which the cookie does not hold", async () => {
    const { token, cookie } = await desk().check.issue("session of ada");
    const expires = start / 1000 + 3_600;
    const [, nonce] = pairIn(cookie).split("=");
    expect(nonce).toMatch(/^[\w-]{43}$/);
    const signature = createHmac("sha256", secret)
      .update(`firmshake csrf 1!${expires}!${nonce}!session of ada`)
      .digest("base64url");
    expect(token).toBe(`${expires}.${signature}`);
  });

  it("comes with a cookie that no script reads and no other host sets", async () => {
    const { cookie, expiresAt } = await desk().check.issue("session of ada");
    expect(cookie).toMatch(/^__Host-csrf=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict$/);
    expect(expiresAt).toBe(start + 3_600_000);
  });

  it("of one tab stays good when another tab gets its own", async () => {
    const at = desk();
    const first = await halvesOf(at);
    const second = await at.check.issue("session of ada", `theme=dark; ${String(first.cookie)}`);
    expect(pairIn(second.cookie)).toBe(first.cookie);
    at.clock.now += 1;
    expect(await askedOf(at.check, showing(first))).toBe("allow");
    expect(await askedOf(at.check, showing({ ...first, token: second.token }))).toBe("allow");
  });

  it.each([
    ["no cookie", "theme=dark"],
    ["a cookie that is no nonce", "__Host-csrf=planted"],
    ["two cookies", `__Host-csrf=${"A".repeat(43)}; __Host-csrf=${"B".repeat(42)}A`],
  ])("comes with a nonce of its own where there is %s", async (_, held) => {
    const { check } = desk();
    const { cookie } = await check.issue("session of ada", held);
    expect(held).not.toContain(pairIn(cookie).split("=")[1]);
    expect(cookie).toMatch(/^__Host-csrf=[\w-]{43};/);
  });

  it("lasts until its end, and not a millisecond longer", async () => {
    const at = desk({ lifetimeMs: 5_000 });
    const halves = await halvesOf(at);
    at.clock.now += 4_999;
    expect(await askedOf(at.check, showing(halves))).toBe("allow");
    at.clock.now += 1;
    expect(await at.check(showing(halves))).toMatchObject({ reason: "expired" });
  });

  it.each<[string, CsrfOptions["session"]]>([
    ["at once", () => "session of ada"],
    ["later", async () => "session of ada"],
  ])("is compared with a session that is known %s", async (_, session) => {
    const at = desk({ session });
    expect(await askedOf(at.check, showing(await halvesOf(at)))).toBe("allow");
  });

  it.each<[string, (token: string) => HandshakeSketch]>([
    ["the query", (token) => ({ target: `/chat?room=1&csrf=${token}` })],
    [
      "the subprotocols",
      (token) => ({
        target: "/chat?room=1",
        headers: { "sec-websocket-protocol": `chat, bearer, ${token}` },
      }),
    ],
  ])("is taken out of %s before the library sees it", async (_, sketch) => {
    const at = desk();
    const halves = await halvesOf(at);
    const verdict = await guard(origin([page]), at.check).decide(
      showing(halves, sketch(halves.token)),
    );
    if (!verdict.ok) throw new Error(verdict.refusal.reason);
    const left = withoutSecrets(verdict.permit);
    expect(left.target).toBe("/chat?room=1");
    expect(left.protocols.join()).not.toContain(halves.token);
  });

  it("is taken out where the check refuses, and where it did not get to run", async () => {
    const at = desk();
    const halves = await halvesOf(at);
    const foreign = showing({ ...halves, session: "session of eve" });
    expect(await askedOf(at.check, foreign)).toBe("csrf_invalid");
    expect(rewriteOf(foreign)?.target).toBe("/chat");
    const report = guard({
      checks: [origin([page]), () => refuse("forbidden"), at.check],
      mode: "report",
    });
    const verdict = await report.decide(showing(halves));
    expect(verdict.ok && withoutSecrets(verdict.permit).target).toBe("/chat");
  });
});

/** One character of the text, another. */
const bent = (text: string, at: number): string =>
  text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);

describe("attacks", () => {
  it.each<[string, (halves: Halves, at: Desk) => MaybePromise<Partial<Halves>>, string]>([
    ["no token", () => ({ token: "" }), "not a token"],
    [
      "the cookie's own value for a token",
      ({ cookie }) => ({ token: String(cookie).split("=")[1] ?? "" }),
      "not a token",
    ],
    ["no cookie: a token out of a log", () => ({ cookie: undefined }), "no cookie"],
    ["another cookie alone", () => ({ cookie: "__host-csrf=x; csrf=x" }), "no cookie"],
    [
      "a planted cookie with a text",
      () => ({ cookie: "__Host-csrf=x" }),
      "not one cookie with a nonce",
    ],
    ["an empty cookie", () => ({ cookie: "__Host-csrf=" }), "not one cookie with a nonce"],
    [
      "a planted cookie beside the right one",
      ({ cookie }) => ({ cookie: `__Host-csrf=${"A".repeat(43)}; ${String(cookie)}` }),
      "not one cookie with a nonce",
    ],
    [
      "the same in the other order",
      ({ cookie }) => ({ cookie: `${String(cookie)}; __Host-csrf=${"A".repeat(43)}` }),
      "not one cookie with a nonce",
    ],
    [
      "the same in two headers",
      ({ cookie }) => ({ cookie: [String(cookie), `__Host-csrf=${"A".repeat(43)}`] }),
      "not one cookie with a nonce",
    ],
    [
      "the same cookie twice",
      ({ cookie }) => ({ cookie: `${String(cookie)}; ${String(cookie)}` }),
      "not one cookie with a nonce",
    ],
    [
      "a planted nonce in its place",
      () => ({ cookie: `__Host-csrf=${"A".repeat(43)}` }),
      "forged, or of another session or cookie",
    ],
    [
      "another token of the same session, with its own cookie",
      async (_, { check }) => ({ token: (await check.issue("session of ada")).token }),
      "forged, or of another session or cookie",
    ],
    [
      "token and cookie of the attacker's own session",
      async (_, at) => ({ ...(await halvesOf(at, "session of eve")), session: "session of ada" }),
      "forged, or of another session or cookie",
    ],
    [
      "the token of the session before the login",
      (halves) => ({ ...halves, session: "session after the login" }),
      "forged, or of another session or cookie",
    ],
    [
      "a session id that takes in what stands before it",
      async (_, at) => ({ ...(await halvesOf(at, "x!session of ada")), session: "session of ada" }),
      "forged, or of another session or cookie",
    ],
    [
      "a longer life",
      ({ token }) => ({ token: token.replace(/^\d+/, (expires) => String(Number(expires) + 1)) }),
      "forged, or of another session or cookie",
    ],
    [
      "another signature",
      ({ token }) => ({ token: bent(token, 20) }),
      "forged, or of another session or cookie",
    ],
    [
      "a signature by another secret",
      async ({ cookie }) => ({
        token: (await desk({ secret: otherSecret }).check.issue("session of ada", String(cookie)))
          .token,
      }),
      "forged, or of another session or cookie",
    ],
    [
      "a signature in another spelling",
      ({ token }) => ({
        token: token.replace(/.$/, (last) => String.fromCharCode(last.charCodeAt(0) + 1)),
      }),
      "not a token",
    ],
    ["padding", ({ token }) => ({ token: `${token}=` }), "not a token"],
    ["a leading zero", ({ token }) => ({ token: `0${token}` }), "not a token"],
    [
      "an expiry in another spelling",
      ({ token }) => ({ token: token.replace(/^\d+/, "1e11") }),
      "not a token",
    ],
    ["an expiry that is negative", ({ token }) => ({ token: `-${token}` }), "not a token"],
    ["no expiry", ({ token }) => ({ token: token.replace(/^\d+/, "") }), "not a token"],
    ["a third part", ({ token }) => ({ token: `${token}.A` }), "not a token"],
    ["a giant", ({ token }) => ({ token: token + "A".repeat(9_000) }), "not a token"],
    ["nobody's session", () => ({ session: undefined }), "no session"],
    ["an empty session id", () => ({ session: "" }), "no session"],
  ])("%s", async (_, change, reason) => {
    const at = desk();
    const halves = await halvesOf(at);
    const changed = { ...halves, ...(await change(halves, at)) };
    expect(await at.check(showing(changed))).toMatchObject({
      code: "csrf_invalid",
      status: 403,
      closeCode: 3003,
      headers: [],
      reason,
    });
  });

  it.each<[string, (token: string) => HandshakeSketch, string]>([
    ["nowhere", () => ({ target: "/chat" }), "no token"],
    [
      "in two parameters",
      (token) => ({ target: `/chat?csrf=${token}&csrf=${token}` }),
      "more than one token",
    ],
    [
      "in two places",
      (token) => ({ headers: { "sec-websocket-protocol": `bearer, ${token}` } }),
      "more than one token",
    ],
    [
      "in the cookie alone",
      (token) => ({ target: "/chat", headers: { "x-csrf": token } }),
      "no token",
    ],
  ])("a token %s", async (_, sketch, reason) => {
    const at = desk();
    const halves = await halvesOf(at);
    expect(await at.check(showing(halves, sketch(halves.token)))).toMatchObject({
      code: "csrf_invalid",
      reason,
    });
  });

  it.each<[string, unknown]>([
    ["a number", 1],
    ["a list", ["session of ada"]],
    ["an object", { toString: () => "session of ada" }],
    ["null", null],
    ["false", false],
  ])("a session that is %s is none", async (_, session) => {
    const at = desk({ session: () => session as string });
    expect(await at.check(showing(await halvesOf(at)))).toMatchObject({ reason: "no session" });
  });

  it("a session that cannot be read lets nobody in", async () => {
    const failing = (): never => {
      throw new Error("store");
    };
    for (const session of [failing, async () => failing()]) {
      const at = desk({ session });
      const chat = guard(origin([page]), at.check);
      expect(await askedOf(chat, showing(await halvesOf(at)))).toBe("check_failed");
    }
  });

  it("a foreign page is refused by its origin, whatever it shows", async () => {
    const at = desk();
    const chat = guard(origin([page]), at.check);
    const sketch = { headers: { origin: "https://evil.example" } };
    expect(await askedOf(chat, showing(await halvesOf(at), sketch))).toBe("origin_denied");
  });
});

describe("secrets", () => {
  it("of a list sign by the first, and are all believed", async () => {
    const before = desk();
    const between = desk({ secret: [otherSecret, secret] });
    const after = desk({ secret: otherSecret });
    const old = await halvesOf(before);
    const fresh = await halvesOf(between);
    expect(await askedOf(between.check, showing(old))).toBe("allow");
    expect(await askedOf(between.check, showing(fresh))).toBe("allow");
    expect(await askedOf(after.check, showing(fresh))).toBe("allow");
    expect(await askedOf(after.check, showing(old))).toBe("csrf_invalid");
  });

  it("are copied: what becomes of the array later changes nothing", async () => {
    const given = new Uint8Array(32).fill(1);
    const at = desk({ secret: given });
    given.fill(9);
    expect(await askedOf(desk().check, showing(await halvesOf(at)))).toBe("allow");
  });
});

describe("the options", () => {
  it("show in explain(), without a secret", () => {
    expect(guard(origin([page]), desk().check).explain()).toContain(
      'csrf: bound to the session, for 3600 s; from query "csrf", subprotocol (bearer), beside cookie "__Host-csrf"; 1 secret',
    );
    const plain = csrf({
      secret: [secret, otherSecret],
      session: () => "",
      insecurePlainCookie: true,
    });
    const text = guard(origin([page]), plain).explain();
    expect(text).toContain('beside cookie "csrf"; 2 secrets');
    expect(text).toContain("insecurePlainCookie: other hosts of the site");
  });

  it("do not take the place of an origin check", () => {
    expect(thrownBy(() => guard(insecureAnyOrigin(), desk().check))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
    expect(guard(desk().check).explain()).toContain("origin: same-origin");
  });

  it("may leave TLS to nobody, by name", async () => {
    const at = desk({ insecurePlainCookie: true });
    const { cookie } = await at.check.issue("session of ada");
    expect(cookie).toMatch(/^csrf=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    expect(await askedOf(at.check, showing(await halvesOf(at)))).toBe("allow");
  });

  it("say where the token is looked for", async () => {
    const at = desk({ from: [queryToken("t"), subprotocolToken("phoenix")], cookie: "__Host-x" });
    const halves = await halvesOf(at);
    expect(halves.cookie).toMatch(/^__Host-x=/);
    expect(await askedOf(at.check, showing(halves))).toBe("csrf_invalid");
    expect(await askedOf(at.check, showing(halves, { target: `/chat?t=${halves.token}` }))).toBe(
      "allow",
    );
  });

  it.each<[string, object, string]>([
    ["no secret", { secret: undefined }, "OPTION_MISSING"],
    [
      "a secret that is a text",
      { secret: "a secret of at least thirty-two bytes" },
      "OPTION_INVALID",
    ],
    ["a list of no secrets", { secret: [] }, "OPTION_INVALID"],
    ["a short secret", { secret: new Uint8Array(31) }, "KEY_UNFIT"],
    ["a short secret behind a good one", { secret: [secret, new Uint8Array(8)] }, "KEY_UNFIT"],
    ["no session", { session: undefined }, "OPTION_MISSING"],
    ["a session that is a text", { session: "id" }, "OPTION_INVALID"],
    ["a name that no cookie has", { cookie: "a b" }, "OPTION_INVALID"],
    ["a name that others can plant", { cookie: "csrf" }, "OPTION_INVALID"],
    ["a prefix that is spelled otherwise", { cookie: "__host-csrf" }, "OPTION_INVALID"],
    [
      "a prefix without Secure",
      { cookie: "__Host-csrf", insecurePlainCookie: true },
      "OPTIONS_CONTRADICT",
    ],
    ["a token in a cookie", { from: [cookieToken("csrf")] }, "OPTIONS_CONTRADICT"],
    ["no place for a token", { from: [] }, "OPTION_INVALID"],
    ["a life of no time", { lifetimeMs: 999 }, "OPTION_INVALID"],
    ["a life of more than a day", { lifetimeMs: 86_400_001 }, "OPTION_INVALID"],
    ["a clock that is none", { now: 1 }, "OPTION_INVALID"],
    ["what nobody knows", { sesion: () => "" }, "OPTION_UNKNOWN"],
  ])("with %s are refused", (_, options, code) => {
    expect(thrownBy(() => desk(options))).toContain(`ERR_FIRMSHAKE_${code}`);
  });

  it.each<[string, unknown]>([
    ["none", undefined],
    ["an empty one", ""],
    ["a number", 1],
  ])("issue nothing for %s as a session id", async (_, id) => {
    await expect(desk().check.issue(id as string)).rejects.toThrow("ERR_FIRMSHAKE_OPTION_");
  });
});
