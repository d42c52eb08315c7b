import { type Handshake, type RefusalCode, refusalKinds, trustedProxies } from "@firmshake/core";
import { openingRefusal } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { type HandshakeSketch, handshakeOf, sampleKey } from "../../support/handshakes.ts";

const codeOf = (handshake: Handshake): RefusalCode | "allow" =>
  openingRefusal(handshake)?.code ?? "allow";

const good: readonly (readonly [string, HandshakeSketch])[] = [
  ["the handshake of RFC 6455 §1.3", {}],
  ["Upgrade in other letters", { headers: { upgrade: "WebSocket" } }],
  ["Connection as browsers send it", { headers: { connection: "keep-alive, Upgrade" } }],
  ["Connection on two lines", { headers: { connection: ["keep-alive", "upgrade"] } }],
  [
    "a runtime that withholds Connection",
    { headers: { connection: undefined }, showsConnectionHeader: false },
  ],
  ["a runtime that does not tell the version of HTTP", { httpVersion: undefined }],
  ["an empty body, said so", { headers: { "content-length": "0" } }],
  ["a query", { target: "/chat?a=/../b//c&d=%2e%2e" }],
  ["percent-encoding in the path", { target: "/a%20b/%e2%82%ac" }],
  ["dots that are no dot segments", { target: "/.well-known/...//a..b/.%2e." }],
  ["a slash alone", { target: "/" }],
  ["no Origin", { headers: { origin: undefined } }],
  ["subprotocols on two lines", { headers: { "sec-websocket-protocol": ["a", "b, c"] } }],
  ["one header line fewer than the runtime keeps", { maxHeaderLines: 7 }],
  ["a Host with a port", { headers: { host: "app.example.com:8443" } }],
  ["another key", { headers: { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" } }],
  ["a key of other letters", { headers: { "sec-websocket-key": "+/9zZaAyY0123456789+/w==" } }],
];

describe("what is a WebSocket handshake", () => {
  it.each(good)("%s", (_, sketch) => {
    expect(codeOf(handshakeOf(sketch))).toBe("allow");
  });
});

const bad: readonly (readonly [RefusalCode, string, HandshakeSketch])[] = [
  ["headers_too_many", "as many header lines as the runtime keeps", { maxHeaderLines: 6 }],
  ["method_not_allowed", "POST", { method: "POST" }],
  ["method_not_allowed", "get in small letters", { method: "get" }],
  ["handshake_malformed", "HTTP/1.0", { httpVersion: "1.0" }],
  ["handshake_malformed", "HTTP/2.0", { httpVersion: "2.0" }],
  ["target_invalid", "the target *", { target: "*" }],
  ["target_invalid", "an empty target", { target: "" }],
  ["target_invalid", "an absolute target", { target: "http://evil.example/chat" }],
  ["target_invalid", "a target that begins with two slashes", { target: "//evil.example/chat" }],
  ["target_invalid", "a backslash", { target: "/\\evil.example/chat" }],
  ["target_invalid", "a backslash in the query", { target: "/chat?\\" }],
  ["target_invalid", "a fragment", { target: "/chat#x" }],
  ["target_invalid", "a blank", { target: "/ch at" }],
  ["target_invalid", "a letter beyond ASCII", { target: "/ch\u00e4t" }],
  ["target_invalid", "DEL", { target: "/\u007f" }],
  ["target_invalid", "a dot segment", { target: "/chat/../admin" }],
  ["target_invalid", "a dot segment at the end", { target: "/chat/.." }],
  ["target_invalid", "a single dot", { target: "/./chat" }],
  ["target_invalid", "an encoded dot segment", { target: "/chat/%2E%2e/admin" }],
  ["target_invalid", "an encoded letter", { target: "/%61dmin" }],
  ["target_invalid", "an encoded digit at the end", { target: "/room/%31" }],
  ["target_invalid", "a half-encoded dot segment before the query", { target: "/chat/.%2e?x" }],
  ["handshake_malformed", "no Upgrade", { headers: { upgrade: undefined } }],
  ["handshake_malformed", "Upgrade to something else", { headers: { upgrade: "h2c" } }],
  ["handshake_malformed", "Upgrade to several things", { headers: { upgrade: "h2c, websocket" } }],
  [
    "handshake_malformed",
    "two Upgrade lines",
    { headers: { upgrade: ["websocket", "websocket"] } },
  ],
  ["handshake_malformed", "no Connection", { headers: { connection: undefined } }],
  ["handshake_malformed", "Connection without upgrade", { headers: { connection: "keep-alive" } }],
  [
    "handshake_malformed",
    "Connection that only contains the letters",
    { headers: { connection: "noupgrade" } },
  ],
  [
    "handshake_malformed",
    "Connection with an empty element",
    { headers: { connection: "upgrade,," } },
  ],
  ["body_not_allowed", "a length", { headers: { "content-length": "5" } }],
  ["body_not_allowed", "two lengths", { headers: { "content-length": ["0", "0"] } }],
  ["body_not_allowed", "a length in another spelling", { headers: { "content-length": "00" } }],
  ["body_not_allowed", "chunks", { headers: { "transfer-encoding": "chunked" } }],
  ["handshake_malformed", "no Host", { headers: { host: undefined } }],
  ["handshake_malformed", "an empty Host", { headers: { host: "" } }],
  [
    "handshake_malformed",
    "two Hosts",
    { headers: { host: ["app.example.com", "app.example.com"] } },
  ],
  ["handshake_malformed", "a Host that is none", { headers: { host: "[" } }],
  ["handshake_malformed", "a Host with userinfo", { headers: { host: "a@app.example.com" } }],
  ["version_unsupported", "no version", { headers: { "sec-websocket-version": undefined } }],
  ["version_unsupported", "version 8", { headers: { "sec-websocket-version": "8" } }],
  ["version_unsupported", "version 013", { headers: { "sec-websocket-version": "013" } }],
  ["handshake_malformed", "two versions", { headers: { "sec-websocket-version": ["13", "13"] } }],
  ["handshake_malformed", "no key", { headers: { "sec-websocket-key": undefined } }],
  ["handshake_malformed", "two keys", { headers: { "sec-websocket-key": [sampleKey, sampleKey] } }],
  ["handshake_malformed", "a short key", { headers: { "sec-websocket-key": "dGhlIHNhbXBsZQ==" } }],
  [
    "handshake_malformed",
    "a key without padding",
    { headers: { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQAA" } },
  ],
  [
    "handshake_malformed",
    "a key of 15 bytes and a bit",
    { headers: { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZR==" } },
  ],
  [
    "handshake_malformed",
    "a key in base64url",
    { headers: { "sec-websocket-key": "-_hlIHNhbXBsZSBub25jZQ==" } },
  ],
  [
    "handshake_malformed",
    "two Origins",
    { headers: { origin: ["https://app.example.com", "https://evil.example"] } },
  ],
  [
    "handshake_malformed",
    "two Authorizations",
    { headers: { authorization: ["Bearer a", "Bearer b"] } },
  ],
  ["handshake_malformed", "an empty subprotocol", { headers: { "sec-websocket-protocol": "" } }],
  [
    "handshake_malformed",
    "an empty element among subprotocols",
    { headers: { "sec-websocket-protocol": "a,,b" } },
  ],
  [
    "handshake_malformed",
    "a subprotocol that is no token",
    { headers: { "sec-websocket-protocol": "a b" } },
  ],
  [
    "handshake_malformed",
    "a subprotocol twice",
    { headers: { "sec-websocket-protocol": "a, b, a" } },
  ],
  [
    "handshake_malformed",
    "a subprotocol twice, on two lines",
    { headers: { "sec-websocket-protocol": ["a", "a"] } },
  ],
];

describe("what is none", () => {
  it.each(bad)("%s: %s", (code, _, sketch) => {
    expect(codeOf(handshakeOf(sketch))).toBe(code);
  });

  it("is told by the public sentence and what was missed, and by nothing that the client sent", () => {
    for (const [code, , sketch] of bad) {
      const refusal = openingRefusal(handshakeOf(sketch));
      expect(refusal?.title).toBe(refusalKinds[code].title);
      expect(`${refusal?.detail} ${refusal?.reason}`).not.toMatch(/evil|h2c|chunked|AAAA/);
    }
  });

  it("names the allowed method and the spoken version", () => {
    expect(openingRefusal(handshakeOf({ method: "POST" }))?.headers).toEqual([["Allow", "GET"]]);
    const wrongVersion = handshakeOf({ headers: { "sec-websocket-version": "8" } });
    expect(openingRefusal(wrongVersion)?.headers).toContainEqual(["Sec-WebSocket-Version", "13"]);
  });
});

/** An extended CONNECT that is good in everything but what is said of it; a list repeats a pseudo-header field. */
function connectOf(
  pseudo: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  sketch: HandshakeSketch = {},
): Handshake {
  const fields = {
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "https",
    ":authority": "app.example.com",
    ":path": "/chat",
    ...pseudo,
  };
  const pseudoHeaders = Object.entries(fields).flatMap(([name, value]) =>
    [value ?? []].flat().flatMap((one) => [name, one]),
  );
  const { headers, ...rest } = sketch;
  const without = { upgrade: undefined, connection: undefined, "sec-websocket-key": undefined };
  return handshakeOf({
    method: "CONNECT",
    httpVersion: "2.0",
    pseudoHeaders,
    headers: { ...without, ...headers },
    ...rest,
  });
}

const proxy = { trust: trustedProxies(["10.0.0.0/8"]), peer: "10.0.0.1" };

describe("what is a handshake over HTTP/2 (RFC 8441)", () => {
  it.each<readonly [string, Handshake]>([
    ["the one of RFC 8441 §5.1", connectOf()],
    ["one in clear", connectOf({ ":scheme": "http" }, { isTls: false })],
    ["one whose scheme a trusted proxy knows", connectOf({}, { isTls: false, ...proxy })],
    ["in clear between proxy and server", connectOf({ ":scheme": "http" }, proxy)],
    ["a Host as well, in other letters", connectOf({ ":authority": "APP.example.com" })],
    ["te: trailers", connectOf({}, { headers: { te: "trailers" } })],
    ["a key, which means nothing", connectOf({}, { headers: { "sec-websocket-key": "x" } })],
  ])("%s", (_, handshake) => {
    expect(codeOf(handshake)).toBe("allow");
  });
});

describe("what is none over HTTP/2", () => {
  it.each<readonly [RefusalCode, string, Handshake]>([
    ["handshake_malformed", "GET", connectOf({ ":method": "GET" })],
    ["handshake_malformed", "another protocol", connectOf({ ":protocol": "connect-udp" })],
    ["handshake_malformed", "another path than is checked", connectOf({ ":path": "/admin" })],
    ["handshake_malformed", "no scheme", connectOf({ ":scheme": undefined })],
    ["handshake_malformed", "no authority", connectOf({ ":authority": undefined })],
    [
      "handshake_malformed",
      "two schemes in place of an authority",
      connectOf({ ":authority": undefined, ":scheme": ["https", "https"] }),
    ],
    [
      "handshake_malformed",
      "an unknown pseudo-header in place of an authority",
      connectOf({ ":authority": undefined, ":status": "200" }),
    ],
    ["handshake_malformed", "two paths", connectOf({ ":path": ["/chat", "/chat"] })],
    ["handshake_malformed", "the scheme ws", connectOf({ ":scheme": "ws" })],
    ["handshake_malformed", "http over TLS", connectOf({ ":scheme": "http" })],
    ["handshake_malformed", "https in clear", connectOf({}, { isTls: false })],
    [
      "handshake_malformed",
      "https in clear from a stranger",
      connectOf({}, { isTls: false, ...proxy, peer: "192.0.2.1" }),
    ],
    ["target_invalid", "a dot segment", connectOf({ ":path": "/../a" }, { target: "/../a" })],
    ["handshake_malformed", "another Host", connectOf({ ":authority": "other.example" })],
    ["handshake_malformed", "a Host twice", connectOf({}, { headers: { host: ["a", "a"] } })],
    [
      "handshake_malformed",
      "an authority with userinfo",
      connectOf({ ":authority": "a@b" }, { headers: { host: "a@b" } }),
    ],
    ["handshake_malformed", "Connection", connectOf({}, { headers: { connection: "Upgrade" } })],
    ["handshake_malformed", "Upgrade", connectOf({}, { headers: { upgrade: "websocket" } })],
    [
      "handshake_malformed",
      "Transfer-Encoding",
      connectOf({}, { headers: { "transfer-encoding": "chunked" } }),
    ],
    ["handshake_malformed", "te: gzip", connectOf({}, { headers: { te: "gzip" } })],
    ["handshake_malformed", "a name in capitals", connectOf({}, { headers: { Cookie: "a=b" } })],
    ["handshake_malformed", "a name that is no token", connectOf({}, { headers: { "a b": "c" } })],
    ["handshake_malformed", "a line break", connectOf({}, { headers: { cookie: "a\r\nb: c" } })],
    ["handshake_malformed", "a blank before the value", connectOf({}, { headers: { a: " b" } })],
    ["body_not_allowed", "a length", connectOf({}, { headers: { "content-length": "5" } })],
    [
      "version_unsupported",
      "version 8",
      connectOf({}, { headers: { "sec-websocket-version": "8" } }),
    ],
    ["headers_too_many", "as many header lines as may be", connectOf({}, { maxHeaderLines: 3 })],
    [
      "method_not_allowed",
      "an upgrade that calls itself CONNECT and HTTP/2.0",
      handshakeOf({ method: "CONNECT", httpVersion: "2.0" }),
    ],
  ])("%s: %s", (code, _, handshake) => {
    expect(codeOf(handshake)).toBe(code);
  });
});

describe("the whole", () => {
  it("is looked at once for a handshake", () => {
    const handshake = handshakeOf({ method: "POST" });
    expect(openingRefusal(handshake)).toBe(openingRefusal(handshake));
  });

  it("includes what a trusted proxy says", () => {
    const trust = trustedProxies(["10.0.0.0/8"]);
    const headers = { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.2" };
    expect(codeOf(handshakeOf({ trust, peer: "10.0.0.1", headers }))).toBe("forwarded_conflict");
    expect(codeOf(handshakeOf({ trust, peer: "192.0.2.9", headers }))).toBe("allow");
    expect(codeOf(handshakeOf({ peer: "10.0.0.1", headers }))).toBe("allow");
  });
});
