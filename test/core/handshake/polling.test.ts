import {
  cookieToken,
  guard,
  insecureAnyOrigin,
  jwt,
  memoryRateLimitStore,
  origin,
  queryToken,
  rateLimit,
  subprotocol,
  trustedProxies,
  when,
} from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf } from "../../support/handshakes.ts";

const bare = {
  upgrade: undefined,
  connection: undefined,
  "sec-websocket-version": undefined,
  "sec-websocket-key": undefined,
};

/** A polling request as a page of https://app.example.com sends it. */
const pollOf = ({ headers = {}, ...sketch }: HandshakeSketch = {}) =>
  handshakeOf({
    transport: "polling",
    target: "/socket.io/?EIO=4&transport=polling",
    ...sketch,
    headers: { ...bare, ...headers },
  });

describe("a polling request is valid", () => {
  const open = guard(insecureAnyOrigin());

  it.each<[string, HandshakeSketch]>([
    ["as a GET", {}],
    ["as a POST with a body", { method: "POST", headers: { "content-length": "12" } }],
    ["as a POST in chunks", { method: "POST", headers: { "transfer-encoding": "chunked" } }],
    ["over HTTP/2", { httpVersion: "2.0" }],
    ["where the runtime does not tell the version", { httpVersion: undefined }],
    ["with an empty body said of a GET", { headers: { "content-length": "0" } }],
    ["with Connection: keep-alive", { headers: { connection: "keep-alive" } }],
  ])("%s", async (_, sketch) => {
    expect(await askedOf(open, pollOf(sketch))).toBe("allow");
  });

  it.each<[string, HandshakeSketch, string]>([
    ["as a PUT", { method: "PUT" }, "method_not_allowed"],
    ["as an OPTIONS request", { method: "OPTIONS" }, "method_not_allowed"],
    ["over HTTP/1.0", { httpVersion: "1.0" }, "handshake_malformed"],
    ["with an Upgrade header", { headers: { upgrade: "h2c" } }, "handshake_malformed"],
    ["with subprotocols", { headers: { "sec-websocket-protocol": "a" } }, "handshake_malformed"],
    ["as a GET with a body", { headers: { "content-length": "3" } }, "body_not_allowed"],
    ["without Host", { headers: { host: undefined } }, "handshake_malformed"],
    ["with an invalid Host", { headers: { host: "a b" } }, "handshake_malformed"],
    ["with two Hosts", { headers: { host: ["a.example", "a.example"] } }, "handshake_malformed"],
    [
      "with two Origins",
      { headers: { origin: ["https://a.example", "https://b.example"] } },
      "handshake_malformed",
    ],
    [
      "with two Authorizations",
      { headers: { authorization: ["Bearer a", "Bearer b"] } },
      "handshake_malformed",
    ],
    [
      "to another authority",
      { target: "http://evil.example/socket.io/?transport=polling" },
      "target_invalid",
    ],
    ["with dot segments", { target: "/x/../socket.io/?transport=polling" }, "target_invalid"],
    ["with too many header lines", { maxHeaderLines: 2 }, "headers_too_many"],
    [
      "with a forwarding header of the proxy that nobody understands",
      {
        trust: trustedProxies(["203.0.113.0/24"]),
        headers: { forwarded: "for=?", "x-forwarded-proto": "https" },
      },
      "forwarded_invalid",
    ],
  ])("not %s", async (_, sketch, code) => {
    expect(await askedOf(open, pollOf(sketch))).toBe(code);
  });
});

describe("the origin of a polling request", () => {
  const listed = origin(["https://app.example.com", "https://app.example.com:8443"]);
  const same = origin("same-origin");
  const own = { origin: undefined, "sec-fetch-site": "same-origin" };

  it.each<[string, HandshakeSketch, typeof same, string]>([
    ["is the page's own where it says so", {}, listed, "allow"],
    [
      "is a foreign page's where it says so",
      { headers: { origin: "https://evil.example" } },
      same,
      "origin_denied",
    ],
    ["is vouched for by the browser: a list", { headers: own }, listed, "allow"],
    ["is vouched for by the browser: same-origin", { headers: own }, same, "allow"],
    [
      "goes with the port of Host",
      { headers: { ...own, host: "app.example.com:8443" } },
      listed,
      "allow",
    ],
    [
      "leaves the default port out",
      { headers: { ...own, host: "App.example.com:443" } },
      listed,
      "allow",
    ],
    ["goes with the scheme", { headers: own, isTls: false }, listed, "origin_denied"],
    [
      "is on no list that lacks it",
      { headers: { ...own, host: "other.example" } },
      listed,
      "origin_denied",
    ],
    ["needs a Host", { headers: { ...own, host: "a b" } }, same, "origin_missing"],
    ["needs one Host", { headers: { ...own, host: [] } }, same, "origin_missing"],
    ["is unknown without a word", { headers: { origin: undefined } }, same, "origin_missing"],
    [
      "is unknown to the same site",
      { headers: { ...own, "sec-fetch-site": "same-site" } },
      same,
      "origin_missing",
    ],
    [
      "is unknown across sites",
      { headers: { ...own, "sec-fetch-site": "cross-site" } },
      same,
      "origin_missing",
    ],
    [
      "is unknown to two words",
      { headers: { ...own, "sec-fetch-site": ["same-origin", "same-origin"] } },
      same,
      "origin_missing",
    ],
    [
      "is the header's, whatever else is said",
      { headers: { ...own, origin: "https://evil.example" } },
      same,
      "origin_denied",
    ],
  ])("%s", async (_, sketch, check, word) => {
    expect(await askedOf(check, pollOf(sketch))).toBe(word);
  });

  it("may be missing for clients that are no browsers alone", async () => {
    const lenient = origin(["https://app.example.com"], { allowMissing: true });
    expect(await askedOf(lenient, pollOf({ headers: { origin: undefined } }))).toBe("allow");
    for (const site of ["cross-site", "same-site", "none"]) {
      const headers = { origin: undefined, "sec-fetch-site": site };
      expect(await askedOf(lenient, pollOf({ headers }))).toBe("origin_missing");
      expect(await askedOf(lenient, handshakeOf({ headers }))).toBe("allow");
    }
  });

  it("is shown to a function", async () => {
    const seen: string[] = [];
    const check = origin((text) => {
      seen.push(text);
      return true;
    });
    expect(await askedOf(check, pollOf({ headers: own, isTls: false }))).toBe("allow");
    expect(seen).toEqual(["http://app.example.com"]);
  });

  it("is not guessed for a WebSocket, whose handshakes always have one", async () => {
    expect(await askedOf(same, handshakeOf({ headers: own }))).toBe("origin_missing");
  });
});

describe("a polling request goes on with a session", () => {
  it.each([
    ["EIO=4&transport=polling&sid=lv_VI97HAXpY6yYWAAAC", true],
    ["s%69d=abc&transport=polling", true],
    ["EIO=4&transport=polling", false],
    ["sid=&transport=polling", false],
    ["sid=a&sid=&transport=polling", false],
    ["sid=a&sid=b", false],
    ["sid=a&s%69d=", false],
    ["sid=%EF%BB%BF", false],
    ["sid=a%00", false],
  ])("%s: %s", (query, isContinued) => {
    expect(pollOf({ target: `/socket.io/?${query}` }).isContinued).toBe(isContinued);
    expect(handshakeOf({ target: `/socket.io/?${query}` }).isContinued).toBe(false);
  });
});

describe("a rate limit", () => {
  const first = (): ReturnType<typeof pollOf> => pollOf();
  const later = (sid = "abc"): ReturnType<typeof pollOf> =>
    pollOf({ target: `/socket.io/?EIO=4&transport=polling&sid=${sid}` });

  it("counts a polling session as one handshake", async () => {
    const check = rateLimit({ limit: 2, windowMs: 60_000 });
    expect(await askedOf(check, first())).toBe("allow");
    for (let count = 0; count < 150; count++) expect(await askedOf(check, later())).toBe("allow");
    expect(await askedOf(check, first())).toBe("allow");
    expect(await askedOf(check, first())).toBe("rate_limited");
    expect(await askedOf(check, later())).toBe("allow");
  });

  it("gives what claims to go on 100 times as much, whatever session it makes up", async () => {
    const check = rateLimit({ limit: 2, windowMs: 60_000 });
    for (let count = 0; count < 200; count++) {
      expect(await askedOf(check, later(`made-up-${count}`))).toBe("allow");
    }
    expect(await askedOf(check, later("one-more"))).toBe("rate_limited");
    expect(await askedOf(check, first())).toBe("allow");
  });

  it("says by which limit a poll was refused, and counts polls in this process", async () => {
    const keys: string[] = [];
    const counting = memoryRateLimitStore();
    const store = {
      take: (key: string, rule: { limit: number; windowMs: number }) => {
        keys.push(key);
        return counting.take(key, rule);
      },
    };
    const check = rateLimit({ limit: 5, windowMs: 60_000, pollLimit: 1, name: "chat", store });
    expect(await askedOf(check, first())).toBe("allow");
    expect(await askedOf(check, later())).toBe("allow");
    expect(await check(later())).toMatchObject({
      code: "rate_limited",
      headers: expect.arrayContaining([["RateLimit-Policy", `"chat-polls";q=1;w=60`]]),
    });
    expect(keys).toEqual(["chat:203.0.113.7"]);
  });
});

describe("a subprotocol", () => {
  it("is asked of polling in vain, unless it is not required", async () => {
    expect(await askedOf(subprotocol(["a"]), pollOf())).toBe("subprotocol_required");
    expect(await askedOf(subprotocol(["a"], { required: false }), pollOf())).toBe("allow");
  });

  it("can be asked of WebSockets alone", async () => {
    const check = when(({ transport }) => transport === "websocket", subprotocol(["a"]));
    expect(await askedOf(check, pollOf())).toBe("allow");
    expect(await askedOf(check, handshakeOf())).toBe("subprotocol_required");
  });
});

it("a token leaves the query of a polling request before a library sees it", async () => {
  const check = jwt({
    issuer: "https://id.example.com",
    audience: "chat",
    keys: new Uint8Array(32),
    from: [queryToken("token"), cookieToken("session")],
  });
  const handshake = pollOf({ target: "/socket.io/?EIO=4&token=a.b.c&transport=polling&sid=x" });
  expect(await askedOf(check, handshake)).toBe("token_invalid");
  expect(rewriteOf(handshake)?.target).toBe("/socket.io/?EIO=4&transport=polling&sid=x");
  expect(handshake.isContinued).toBe(true);
});
