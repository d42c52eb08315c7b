import { Buffer } from "node:buffer";
import {
  allow,
  bearerToken,
  type Check,
  cookieToken,
  guard,
  headerToken,
  origin,
  queryToken,
  refuse,
  type SubprotocolTokenForm,
  subprotocol,
  subprotocolToken,
  type TokenSource,
} from "@firmshake/core";
import { type Rewrite, rewriteOf } from "@firmshake/core/gate";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { extractToken } from "../../../packages/core/src/tokens/extract-token.ts";
import { type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const found = (sources: readonly TokenSource[], sketch: HandshakeSketch): unknown => {
  const token = extractToken(handshakeOf(sketch), sources, 20);
  return typeof token === "string" ? token : { code: token.code };
};
const rewritten = (
  sources: readonly TokenSource[],
  sketch: HandshakeSketch,
): Rewrite | undefined => {
  const handshake = handshakeOf(sketch);
  extractToken(handshake, sources, 8_192);
  return rewriteOf(handshake);
};
const offering = (...names: readonly string[]): HandshakeSketch => ({
  headers: { "sec-websocket-protocol": names.join(", ") },
});
const missing = { code: "token_missing" };
const malformed = { code: "token_malformed" };
const ambiguous = { code: "token_ambiguous" };

describe("a bearer token", () => {
  it.each<[string | undefined, unknown]>([
    ["Bearer abc.def-_~+/==", "abc.def-_~+/=="],
    ["bearer abc", "abc"],
    ["BEARER abc", "abc"],
    [undefined, missing],
    ["Basic YWJj", missing],
    ["Bearers abc", missing],
    ["", missing],
    ["Bearer", malformed],
    ["Bearer ", malformed],
    ["Bearer =", malformed],
    ["Bearer a b", malformed],
    ["Bearer  abc", malformed],
    ["Bearer abc, Bearer def", malformed],
    ["Bearer a=b", malformed],
    ["Bearer ä", malformed],
    ["Bearer abc\t", malformed],
  ])("of Authorization %j is %j", (authorization, token) => {
    expect(found([bearerToken()], { headers: { authorization } })).toEqual(token);
  });

  it("leaves the request as it is", () => {
    expect(rewritten([bearerToken()], { headers: { authorization: "Bearer a" } })).toBeUndefined();
  });
});

describe("a token in a cookie", () => {
  it.each<[string | readonly string[] | undefined, unknown]>([
    ["session=abc", "abc"],
    ["a=b; session=abc; c=d", "abc"],
    ["session=a%62c", "abc"],
    [["a=b", "session=abc"], "abc"],
    [undefined, missing],
    ["", missing],
    ["a=session", missing],
    ["Session=abc", missing],
    ["xsession=abc", missing],
    ["session", missing],
    ["session=abc; session=def", ambiguous],
    ["session=abc; session=abc", ambiguous],
    [["session=abc", "session=def"], ambiguous],
    ["session=; session=abc", ambiguous],
  ])("of Cookie %j is %j", (cookie, token) => {
    expect(found([cookieToken("session")], { headers: { cookie } })).toEqual(token);
  });

  it("may have a name from Object", () => {
    expect(found([cookieToken("__proto__")], { headers: { cookie: "__proto__=abc" } })).toBe("abc");
    expect(found([cookieToken("toString")], { headers: { cookie: "a=b" } })).toEqual(missing);
  });

  it("is known to be sent by browsers whichever page asks; no other is", () => {
    const sources = [cookieToken("a"), bearerToken(), queryToken("a"), subprotocolToken()];
    expect(sources.map(({ isAmbient }) => isAmbient)).toEqual([true, false, false, false]);
    expect(sources.map(({ name }) => name)).toEqual([
      'cookie "a"',
      "bearer",
      'query "a"',
      "subprotocol",
    ]);
  });

  it.each([undefined, "", "a b", "a;b", "a=b", 1])("has no name such as %j", (name) => {
    expect(thrownBy(() => cookieToken(name as string))).toContain(
      'give the cookie\'s name, such as cookieToken("session")',
    );
  });
});

describe("a token in a header of its own", () => {
  it.each<[string | readonly string[] | undefined, unknown]>([
    ["abc.def-_~+/==", "abc.def-_~+/=="],
    [undefined, missing],
    ["", malformed],
    ["a b", malformed],
    ["abc,def", malformed],
    [["abc", "def"], ambiguous],
    [["abc", ""], malformed],
  ])("of X-API-Key %j is %j", (value, token) => {
    expect(found([headerToken("X-API-Key")], { headers: { "x-api-key": value } })).toEqual(token);
  });

  it("is not sent by browsers", () => {
    expect(headerToken("X-API-Key")).toMatchObject({
      name: 'header "X-API-Key"',
      isAmbient: false,
    });
  });

  it.each([undefined, "", "a b", 1])("has no name such as %j", (name) => {
    expect(thrownBy(() => headerToken(name as string))).toContain("give the header's name");
  });

  it.each(["Cookie", "authorization", "Sec-WebSocket-Protocol"])("is not read from %s", (name) => {
    expect(thrownBy(() => headerToken(name))).toContain("is read by bearerToken()");
  });
});

describe("a token in the query", () => {
  const source = queryToken("t");

  it.each<[string, unknown, string | undefined]>([
    ["/chat?t=abc", "abc", "/chat"],
    ["/chat?a=1&t=abc&b=%20", "abc", "/chat?a=1&b=%20"],
    ["/chat?a=1&%74=abc", "abc", "/chat?a=1"],
    ["/chat?t=a%62c", "abc", "/chat"],
    ["/chat?t=abc&T=def", "abc", "/chat?T=def"],
    ["/chat?t=abc&?t=def", "abc", "/chat?" + "?t=def"],
    ["/chat?t", "", "/chat"],
    ["/chat?t=abc&t=def", ambiguous, "/chat"],
    ["/chat?t=abc&x&t", ambiguous, "/chat?x"],
    ["/chat", missing, undefined],
    ["/chat?", missing, undefined],
    ["/chat?tt=abc", missing, undefined],
    ["/chat??t=abc", missing, undefined],
    ["/chat?t[]=abc", missing, undefined],
  ])("of %s is %j, and the library sees %s", (target, token, left) => {
    expect(found([source], { target })).toEqual(token);
    expect(rewritten([source], { target })?.target).toBe(left);
  });

  it("is taken out beside another that was taken out before", () => {
    expect(rewritten([source, queryToken("u")], { target: "/chat?t=a&u=b&c" })?.target).toBe(
      "/chat?c",
    );
    expect(rewritten([source, queryToken("u")], { target: "/chat?t=a&u=b" })?.target).toBe("/chat");
    expect(found([source, queryToken("u")], { target: "/chat?t=a&u=b" })).toEqual(ambiguous);
  });

  it("never stands in what is left, and nothing else is touched", () => {
    const pair = fc
      .tuple(
        fc.constantFrom("t", "%74", "T", "a", "?t", "t[]", ""),
        fc.constantFrom("", "=", "=x", "=t=x", "=%26t"),
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 6 }), (pairs) => {
        const target = `/chat?${pairs.join("&")}`;
        const left = rewritten([source], { target })?.target ?? target;
        const rest = pairs.filter((one) => !/^(t|%74)(=|$)/.test(one));
        expect(new URL(left, "http://a").searchParams.has("t")).toBe(false);
        if (left !== target)
          expect(left).toBe(rest.length === 0 ? "/chat" : `/chat?${rest.join("&")}`);
      }),
      { numRuns: 500 },
    );
  });

  it.each([undefined, "", 1])("has no name such as %j", (name) => {
    expect(thrownBy(() => queryToken(name as string))).toContain(
      'give the parameter\'s name, such as queryToken("access_token")',
    );
  });
});

describe("a token among the subprotocols", () => {
  const encoded = Buffer.from("abc.def").toString("base64url");

  it.each<[string, readonly string[], unknown, readonly string[] | undefined]>([
    ["bearer", ["bearer", "abc.def"], "abc.def", ["bearer"]],
    [
      "bearer among others",
      ["chat", "bearer", "abc.def", "log"],
      "abc.def",
      ["chat", "bearer", "log"],
    ],
    [
      "kubernetes",
      ["chat", `base64url.bearer.authorization.k8s.io.${encoded}`],
      "abc.def",
      ["chat"],
    ],
    ["phoenix", ["phoenix", `base64url.bearer.phx.${encoded}`], "abc.def", ["phoenix"]],
    [
      "jupyter",
      [`v1.token.websocket.jupyter.org.abc.def`, "v1.kernel.websocket.jupyter.org"],
      "abc.def",
      ["v1.kernel.websocket.jupyter.org"],
    ],
    [
      "jupyter, percent-encoded",
      ["v1.token.websocket.jupyter.org.abc%2Edef", "chat"],
      "abc.def",
      ["chat"],
    ],
    ["none", ["chat"], missing, undefined],
    ["bearer as the last", ["chat", "bearer"], missing, undefined],
    ["bearer in capitals", ["Bearer", "abc"], missing, undefined],
    [
      "two by one form",
      ["bearer", "abc", `base64url.bearer.phx.${encoded}`],
      ambiguous,
      ["bearer"],
    ],
    ["one by two forms", ["bearer", `base64url.bearer.phx.${encoded}`], ambiguous, ["bearer"]],
    [
      "base64url that is not canonical",
      ["phoenix", "base64url.bearer.phx.YR"],
      malformed,
      ["phoenix"],
    ],
    ["base64url that is no text", ["phoenix", "base64url.bearer.phx._w"], malformed, ["phoenix"]],
    [
      "broken percent-encoding",
      ["v1.token.websocket.jupyter.org.%zz", "chat"],
      malformed,
      ["chat"],
    ],
    [
      "nothing beside it to answer with",
      [`base64url.bearer.phx.${encoded}`],
      { code: "subprotocol_required" },
      [],
    ],
  ])("%s", (_, names, token, left) => {
    expect(found([subprotocolToken()], offering(...names))).toEqual(token);
    expect(rewritten([subprotocolToken()], offering(...names))?.protocols).toEqual(left);
  });

  it("counts in the wanted forms alone", () => {
    const phoenix = subprotocolToken("phoenix");
    expect(found([phoenix], offering("bearer", "abc"))).toEqual(missing);
    expect(found([phoenix], offering("phoenix", `base64url.bearer.phx.${encoded}`))).toBe(
      "abc.def",
    );
    expect(phoenix.name).toBe("subprotocol (phoenix)");
  });

  it("is not offered at all", () => {
    expect(found([subprotocolToken()], {})).toEqual(missing);
    expect(rewritten([subprotocolToken()], {})).toBeUndefined();
  });

  it("has no other forms", () => {
    expect(thrownBy(() => subprotocolToken("k8s" as SubprotocolTokenForm))).toContain(
      'the forms are "bearer", "kubernetes", "phoenix", "jupyter"',
    );
  });
});

describe("several sources", () => {
  const sources = [bearerToken(), subprotocolToken(), queryToken("t"), cookieToken("session")];

  it("have one token between them", () => {
    expect(found(sources, { headers: { cookie: "session=abc" } })).toBe("abc");
    expect(found(sources, {})).toEqual(missing);
    expect(
      found(sources, { headers: { cookie: "session=abc", authorization: "Bearer def" } }),
    ).toEqual(ambiguous);
    expect(found(sources, { target: "/?t=abc", headers: { authorization: "Bearer abc" } })).toEqual(
      ambiguous,
    );
  });

  it("withhold what each of them holds, though one is malformed", () => {
    const sketch = {
      target: "/chat?t=b",
      headers: { authorization: "Bearer", "sec-websocket-protocol": "bearer, a" },
    };
    expect(found(sources, sketch)).toEqual(malformed);
    expect(rewritten(sources, sketch)).toEqual({ protocols: ["bearer"], target: "/chat" });
  });

  it("a token that is too long is not read", () => {
    expect(found(sources, { headers: { authorization: `Bearer ${"a".repeat(20)}` } })).toBe(
      "a".repeat(20),
    );
    expect(found(sources, { headers: { authorization: `Bearer ${"a".repeat(21)}` } })).toEqual(
      malformed,
    );
  });

  it("are answered with the challenge of RFC 6750, its error only where a token was sent", () => {
    const challenge = (sketch: HandshakeSketch): unknown => {
      const refusal = extractToken(handshakeOf(sketch), sources, 20);
      return typeof refusal === "string" ? refusal : refusal.headers;
    };
    expect(challenge({})).toEqual([["WWW-Authenticate", 'Bearer realm="websocket"']]);
    const invalid = [["WWW-Authenticate", 'Bearer realm="websocket", error="invalid_request"']];
    expect(challenge({ headers: { authorization: "Bearer" } })).toEqual(invalid);
    expect(challenge({ headers: { cookie: "session=a; session=b" } })).toEqual(invalid);
  });
});

describe("a token beside an agreed subprotocol", () => {
  const reads =
    (...sources: readonly TokenSource[]): Check =>
    (handshake) =>
      typeof extractToken(handshake, sources, 99) === "string" ? allow : refuse("token_invalid");
  const listed = origin(["https://app.example.com"]);

  it.each<[string, "cost" | "written"]>([
    ["before", "cost"],
    ["after", "written"],
  ])("that was agreed on %s it was read: a library sees the agreed one alone", async (_, order) => {
    const checks = [listed, reads(subprotocolToken()), subprotocol(["chat"])];
    const handshake = handshakeOf(offering("bearer", "secret", "chat"));
    expect((await guard({ checks, order }).decide(handshake)).ok).toBe(true);
    expect(rewriteOf(handshake)?.protocols).toEqual(["chat"]);
  });

  it("is not asked for another where none had to be agreed on and the token came elsewhere", async () => {
    const checks = [listed, subprotocol(["chat"], { required: false }), reads(bearerToken())];
    const handshake = handshakeOf({
      headers: { authorization: "Bearer abc", "sec-websocket-protocol": "other" },
    });
    expect((await guard({ checks }).decide(handshake)).ok).toBe(true);
    expect(rewriteOf(handshake)?.protocols).toEqual([]);
  });

  it("is never shown, though it is agreed on by its very name", async () => {
    const checks = [listed, subprotocol(["secret", "bearer"]), reads(subprotocolToken())];
    const handshake = handshakeOf(offering("bearer", "secret"));
    expect((await guard({ checks }).decide(handshake)).ok).toBe(true);
    expect(rewriteOf(handshake)?.protocols).not.toContain("secret");
  });
});
