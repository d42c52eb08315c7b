import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { guard, type JwksOptions, jwt, type Refusal } from "@firmshake/core";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { askedOf, handshakeOf } from "../../support/handshakes.ts";
import { audience, claims, type Pair, pairOf, tokenOf } from "./signing.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const oidc = "/.well-known/openid-configuration";
const oauth = "/.well-known/oauth-authorization-server";

let pair: Pair;
let origin: string;
let asked: string[];
/** What stands at which path; nothing else is there. */
let answers: Record<string, Answer>;
let close: () => Promise<unknown>;

beforeAll(async () => {
  pair = await pairOf("ES256", "first");
});

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_800_000_000_000 });
  asked = [];
  const server = createServer((request, response) => {
    const { url = "" } = request;
    asked.push(url);
    const answer = answers[url];
    if (answer === undefined) response.writeHead(404).end();
    else answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  answers = { [oidc]: metadata(), "/keys": json({ keys: [pair.jwk] }) };
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
});

afterEach(async () => {
  vi.useRealTimers();
  await close();
});

const json =
  (value: unknown, type = "application/json"): Answer =>
  (response) =>
    void response
      .setHeader("Content-Type", type)
      .end(typeof value === "string" ? value : JSON.stringify(value));
const metadata = (changed: object = {}): Answer =>
  json({ issuer: origin, jwks_uri: `${origin}/keys`, ...changed });

async function decisionOn(issuer: string, jwks: JwksOptions = {}): Promise<string | undefined> {
  const token = await tokenOf(
    claims({ iss: issuer, exp: 1_900_000_000 }),
    { alg: "ES256", kid: "first" },
    pair.privateKey,
  );
  const handshake = handshakeOf({ headers: { authorization: `Bearer ${token}` } });
  const answer = await jwt({ issuer, audience, jwks })(handshake);
  if (answer.ok) return "allow";
  const { code, status, reason } = answer as Refusal;
  expect([code, status]).toEqual(["keys_unavailable", 503]);
  return reason;
}

describe("the metadata of an issuer", () => {
  it("is found by OpenID Connect Discovery first, and RFC 8414 is not asked then", async () => {
    answers[oauth] = metadata();
    expect(await decisionOn(origin)).toBe("allow");
    expect(asked).toEqual([oidc, "/keys"]);
  });

  it.each([404, 410])("is found by RFC 8414 where the first form is %i", async (status) => {
    answers = {
      ...answers,
      [oidc]: (response) => void response.writeHead(status).end(),
      [oauth]: metadata(),
    };
    expect(await decisionOn(origin)).toBe("allow");
    expect(asked).toEqual([oidc, oauth, "/keys"]);
  });

  it.each([
    ["/tenant", `/tenant${oidc}`, `${oauth}/tenant`],
    ["/a/b", `/a/b${oidc}`, `${oauth}/a/b`],
    ["/tenant/", `/tenant${oidc}`, `${oauth}/tenant`],
    ["/", oidc, oauth],
  ])("of %s stands behind its path, or before it by RFC 8414 §3.1", async (path, ...locations) => {
    for (const [index, location] of locations.entries()) {
      asked = [];
      answers = {
        [location]: metadata({ issuer: `${origin}${path}` }),
        "/keys": json({ keys: [pair.jwk] }),
      };
      expect(await decisionOn(`${origin}${path}`)).toBe("allow");
      expect(asked).toEqual([...locations.slice(0, index + 1), "/keys"]);
    }
  });

  it.each([500, 503, 400, 401, 403, 204, 206])(
    "is not looked for elsewhere where the first form answers %i",
    async (status) => {
      answers = {
        ...answers,
        [oidc]: (response) => void response.writeHead(status).end(),
        [oauth]: metadata(),
      };
      expect(await decisionOn(origin)).toBe(`The answer has the status ${status}.`);
      expect(asked).toEqual([oidc]);
    },
  );

  it("may name the media type with parameters, in any case", async () => {
    answers[oidc] = json(
      { issuer: origin, jwks_uri: `${origin}/keys` },
      "Application/JSON ; charset=utf-8",
    );
    expect(await decisionOn(origin)).toBe("allow");
  });

  it("is asked for again with the keys, so that these may move", async () => {
    const check = jwt({ issuer: origin, audience, jwks: { maxAgeMs: 1_000, cooldownMs: 1 } });
    const ask = async (): Promise<string> => {
      const payload = claims({ iss: origin, exp: 1_900_000_000 });
      const token = await tokenOf(payload, { alg: "ES256", kid: "first" }, pair.privateKey);
      return askedOf(check, handshakeOf({ headers: { authorization: `Bearer ${token}` } }));
    };
    expect(await ask()).toBe("allow");
    answers = {
      [oidc]: metadata({ jwks_uri: `${origin}/moved` }),
      "/moved": json({ keys: [pair.jwk] }),
    };
    vi.advanceTimersByTime(1_001);
    expect(await ask()).toBe("allow");
    expect(asked).toEqual([oidc, "/keys", oidc, "/moved"]);
  });

  it("is asked for by the fetch that was given, without following redirects", async () => {
    const given = vi.fn<typeof fetch>((...request) => fetch(...request));
    expect(await decisionOn(origin, { fetch: given })).toBe("allow");
    expect(given.mock.calls.map(([uri]) => String(uri))).toEqual([
      `${origin}${oidc}`,
      `${origin}/keys`,
    ]);
    for (const [, init] of given.mock.calls) expect(init?.redirect).toBe("error");
  });

  it("is told in the explanation", () => {
    expect(guard(jwt({ issuer: origin, audience })).explain()).toContain("keys by discovery");
  });
});

describe("metadata that is not believed", () => {
  const unusable = "The metadata has no usable jwks_uri.";
  const foreign = "The metadata is of another issuer.";

  it.each<[string, () => Answer, string]>([
    ["another issuer", () => metadata({ issuer: "https://evil.example" }), foreign],
    ["the issuer with a slash more", () => metadata({ issuer: `${origin}/` }), foreign],
    ["no issuer", () => json({ jwks_uri: `${origin}/keys` }), foreign],
    ["an issuer that is a list", () => metadata({ issuer: [origin] }), foreign],
    [
      "an issuer in its prototype",
      () => json(`{"__proto__":{"issuer":"${origin}","jwks_uri":"${origin}/keys"}}`),
      foreign,
    ],
    [
      "two issuers, of which the last is another",
      () =>
        json(`{"issuer":"${origin}","jwks_uri":"${origin}/keys","issuer":"https://evil.example"}`),
      foreign,
    ],
    ["no object", () => json("7"), foreign],
    ["null", () => json("null"), foreign],
    ["a list", () => json([origin]), foreign],
    ["no keys", () => metadata({ jwks_uri: undefined }), unusable],
    [
      "keys in its prototype",
      () => json(`{"issuer":"${origin}","__proto__":{"jwks_uri":"${origin}/keys"}}`),
      unusable,
    ],
    ["keys that are no URL", () => metadata({ jwks_uri: "/keys" }), unusable],
    ["keys in a list", () => metadata({ jwks_uri: [`${origin}/keys`] }), unusable],
    ["keys without TLS", () => metadata({ jwks_uri: "http://id.example.com/keys" }), unusable],
    [
      "keys behind a password",
      () => metadata({ jwks_uri: "https://a:b@id.example.com/" }),
      unusable,
    ],
    ["keys in a file", () => metadata({ jwks_uri: "file:///etc/passwd" }), unusable],
    ["keys in the URL itself", () => metadata({ jwks_uri: "data:application/json,{}" }), unusable],
    ["a page", () => json("<html>", "text/html"), "The answer is no application/json."],
    [
      "JSON as a page",
      () => json({}, "text/html; charset=utf-8"),
      "The answer is no application/json.",
    ],
    [
      "JSON of another kind",
      () => json({}, "application/jwk-set+json"),
      "The answer is no application/json.",
    ],
    [
      "no media type",
      () => (response) => void response.end("{}"),
      "The answer is no application/json.",
    ],
    ["half of JSON", () => json('{"issuer":'), "The answer is no JSON."],
    [
      "no UTF-8",
      () => (response) =>
        void response.setHeader("Content-Type", "application/json").end(new Uint8Array([0xff])),
      "TypeError",
    ],
    ["more than a mebibyte", () => json(" ".repeat((1 << 20) + 1)), "The answer is too large."],
    [
      "a redirect",
      () => (response) => void response.writeHead(302, { Location: `${origin}/elsewhere` }).end(),
      "TypeError",
    ],
    ["a connection cut", () => (response) => void response.destroy(), "TypeError"],
  ])("has %s", async (_, given, reason) => {
    answers[oidc] = given();
    answers[oauth] = metadata();
    answers["/elsewhere"] = metadata();
    expect(await decisionOn(origin)).toBe(reason);
    expect(asked).toEqual([oidc]);
  });

  it("is of an issuer with TLS, and leads to keys without, though on loopback", async () => {
    const issuer = "https://id.example.com";
    const given = vi.fn<typeof fetch>(async () =>
      Response.json({ issuer, jwks_uri: `${origin}/keys` }),
    );
    expect(await decisionOn(issuer, { fetch: given })).toBe(unusable);
    expect(given).toHaveBeenCalledOnce();
  });

  it("may lead to another host, as those of large issuers do", async () => {
    const issuer = "https://id.example.com";
    const given = vi.fn<typeof fetch>(async (uri) =>
      String(uri) === "https://keys.example.net/set"
        ? Response.json({ keys: [pair.jwk] })
        : Response.json({ issuer, jwks_uri: "https://keys.example.net/set" }),
    );
    expect(await decisionOn(issuer, { fetch: given })).toBe("allow");
  });

  it("never ends, and is cut off within its bound of bytes", async () => {
    let sent = 0;
    let isClosed: Promise<unknown> = Promise.resolve();
    answers[oidc] = (response) => {
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
    expect(await decisionOn(origin)).toBe("The answer is too large.");
    await isClosed;
    expect(sent).toBeLessThan(10 << 20);
  });

  it("comes too late: both questions share the time", async () => {
    answers[oidc] = () => undefined;
    expect(await decisionOn(origin, { timeoutMs: 20 })).toBe("TimeoutError");
    answers[oidc] = metadata();
    answers["/keys"] = () => undefined;
    expect(await decisionOn(origin, { timeoutMs: 20 })).toBe("TimeoutError");
  });

  it("is in no error what a fetch of the application throws, if that is none", async () => {
    const throwing = (): Promise<Response> => Promise.reject("a secret");
    expect(await decisionOn(origin, { fetch: throwing })).toBe("unknown error");
  });
});
