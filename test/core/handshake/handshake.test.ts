import { type Handshake, HeaderLines, trustedProxies } from "@firmshake/core";
import { createHandshake, openingRefusal, rewriteOf } from "@firmshake/core/gate";
import { describe, expect, it, vi } from "vitest";
import {
  forwardedOf,
  hasTrust,
  progressOf,
  sourceOf,
} from "../../../packages/core/src/handshake/handshake.ts";
import { handshakeOf } from "../../support/handshakes.ts";

describe("the view of a request", () => {
  it.each([
    ["/chat", "/chat", ""],
    ["/chat?", "/chat", ""],
    ["/chat?a=1?b", "/chat", "a=1?b"],
    ["/a%20b?%20", "/a%20b", "%20"],
  ])("takes %s apart without decoding", (target, path, query) => {
    const handshake = handshakeOf({ target });
    expect([handshake.path, handshake.query, handshake.path]).toEqual([path, query, path]);
  });

  it("shows the offered subprotocols in the client's order, of all lines", () => {
    const handshake = handshakeOf({ headers: { "sec-websocket-protocol": ["b,a", " c\t"] } });
    expect(handshake.protocols).toEqual(["b", "a", "c"]);
    expect(handshakeOf().protocols).toEqual([]);
  });

  it("shows the peer's address in canonical text", () => {
    expect(handshakeOf({ peer: "::ffff:10.0.0.1" }).peerAddress).toBe("10.0.0.1");
    expect(handshakeOf({ peer: "fe80::1%eth0" }).peerAddress).toBe("fe80::1");
    expect(handshakeOf({ peer: undefined }).peerAddress).toBeUndefined();
  });

  it("takes the peer for the client where nobody is trusted", () => {
    const handshake = handshakeOf({
      peer: "192.0.2.1",
      headers: { "x-forwarded-for": "127.0.0.1" },
    });
    expect(handshake.clientAddress).toBe("192.0.2.1");
  });

  it.each([
    [true, "wss"],
    [false, "ws"],
  ])("with TLS %s has the scheme %s, whatever the client's headers say", (isTls, scheme) => {
    const handshake = handshakeOf({
      isTls,
      headers: { "x-forwarded-proto": isTls ? "http" : "https" },
    });
    expect(handshake.scheme).toBe(scheme);
    expect(handshake.tls?.protocol).toBe(isTls ? "TLSv1.3" : undefined);
  });

  it("asks the runtime only when needed, and once", () => {
    const peerAddress = vi.fn(() => undefined);
    const tls = vi.fn(() => undefined);
    const signal = vi.fn(() => new AbortController().signal);
    const handshake = createHandshake({
      method: "GET",
      target: "/",
      httpVersion: "1.1",
      headerLines: [],
      maxHeaderLines: 100,
      showsConnectionHeader: true,
      peerAddress,
      tls,
      signal,
    });
    expect([peerAddress, tls, signal].map((source) => source.mock.calls.length)).toEqual([0, 0, 0]);
    for (let count = 0; count < 2; count++) {
      expect(handshake.peerAddress).toBeUndefined();
      expect(handshake.clientAddress).toBeUndefined();
      expect(handshake.tls).toBeUndefined();
      expect(handshake.scheme).toBe("ws");
      expect(handshake.signal.aborted).toBe(false);
    }
    expect([peerAddress, tls, signal].map((source) => source.mock.calls.length)).toEqual([1, 1, 1]);
  });

  it("is frozen, and so is what it hands out", () => {
    const handshake = handshakeOf({
      headers: { "sec-websocket-protocol": "a", "x-a": ["1", "2"] },
    });
    expect(Object.isFrozen(handshake)).toBe(true);
    expect(Object.isFrozen(handshake.facts)).toBe(true);
    expect(Object.isFrozen(handshake.protocols)).toBe(true);
    Object.assign(handshake.headers.all("x-a"), { 0: "changed" });
    expect(handshake.headers.joined("x-a")).toBe("1, 2");
    expect(() => Object.assign(handshake, { identity: {} })).toThrow(TypeError);
  });

  it("has nothing to be rewritten, no identity and no facts to begin with", () => {
    const handshake = handshakeOf();
    expect(rewriteOf(handshake)).toBeUndefined();
    expect(handshake.identity).toBeUndefined();
    expect(handshake.facts).toEqual({});
  });

  it("cannot be imitated", () => {
    const imitation = { ...handshakeOf() } as Handshake;
    for (const use of [progressOf, sourceOf, forwardedOf, openingRefusal, rewriteOf]) {
      expect(() => use(imitation)).toThrow("not a handshake made by Firmshake");
    }
    expect(hasTrust(imitation)).toBe(false);
    expect(hasTrust(handshakeOf())).toBe(false);
    expect(hasTrust(handshakeOf({ trust: trustedProxies(["10.0.0.1"]) }))).toBe(true);
  });
});

describe("header lines", () => {
  const lines = new HeaderLines(["Host", "a", "X-A", "1", "x-a", "2", "X-a", "", "last"]);

  it("are counted as they came", () => {
    expect(lines.count).toBe(4);
    expect([...lines]).toEqual([
      ["Host", "a"],
      ["X-A", "1"],
      ["x-a", "2"],
      ["X-a", ""],
    ]);
  });

  it("are found whatever the case, repeats visible", () => {
    expect(lines.all("X-A")).toEqual(["1", "2", ""]);
    expect(lines.all("host")).toEqual(["a"]);
    expect(lines.all("none")).toEqual([]);
    expect(lines.has("HOST")).toBe(true);
    expect(lines.has("__proto__")).toBe(false);
  });

  it("have a single value only where there is a single line", () => {
    expect(lines.only("HOST")).toBe("a");
    expect(lines.only("x-a")).toBeUndefined();
    expect(lines.only("constructor")).toBeUndefined();
  });

  it("are joined as RFC 9110 has it", () => {
    expect(lines.joined("x-a")).toBe("1, 2, ");
    expect(lines.joined("host")).toBe("a");
    expect(lines.joined("none")).toBeUndefined();
  });
});
