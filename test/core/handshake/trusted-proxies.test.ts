import { type TrustedProxiesOptions, trustedProxies } from "@firmshake/core";
import { openingRefusal } from "@firmshake/core/gate";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forwardedOf } from "../../../packages/core/src/handshake/handshake.ts";
import { type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

type Headers = NonNullable<HandshakeSketch["headers"]>;

const either = trustedProxies({ proxies: ["10.0.0.0/8", "loopback"] });
const byList = trustedProxies({ proxies: ["10.0.0.0/8"], header: "x-forwarded-for" });
const byForwarded = trustedProxies({ proxies: ["10.0.0.0/8"], header: "forwarded" });

function seen(trust: typeof either, headers: Headers, peer = "10.0.0.1", isTls = false): unknown {
  const handshake = handshakeOf({ trust, peer, isTls, headers });
  return openingRefusal(handshake)?.code ?? [handshake.clientAddress, handshake.scheme];
}

describe("the client behind X-Forwarded-For", () => {
  it.each<[string, string | readonly string[], string | undefined]>([
    ["one entry", "192.0.2.1", "192.0.2.1"],
    ["what the client typed stands left of it", "127.0.0.1, 192.0.2.1", "192.0.2.1"],
    ["trusted hops are walked past", "192.0.2.1, 10.0.0.9, 10.0.0.8", "192.0.2.1"],
    ["hops on several lines", ["6.6.6.6", "192.0.2.1", "10.9.9.9"], "192.0.2.1"],
    ["all are trusted: the leftmost", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["a mapped trusted hop", "192.0.2.1, ::ffff:10.0.0.2", "192.0.2.1"],
    ["a hop that cannot be told stops the walk", "192.0.2.1, unknown, 10.0.0.2", undefined],
    ["an empty entry is a hop", "192.0.2.1,,10.0.0.2", undefined],
    ["an empty header", "", undefined],
    ["junk", "localhost", undefined],
  ])("%s", (_, header, address) => {
    expect(seen(either, { "x-forwarded-for": header })).toEqual([address, "ws"]);
  });

  it("is whoever connects, where the peer is not trusted", () => {
    const headers = {
      "x-forwarded-for": "127.0.0.1",
      forwarded: "for=::1",
      "x-forwarded-proto": "https",
    };
    expect(seen(either, headers, "192.0.2.9")).toEqual(["192.0.2.9", "ws"]);
    expect(seen(either, headers, "::ffff:192.0.2.9", true)).toEqual(["192.0.2.9", "wss"]);
  });

  it("is unknown where the peer is", () => {
    const handshake = handshakeOf({
      trust: either,
      peer: undefined,
      headers: { "x-forwarded-for": "::1" },
    });
    expect(forwardedOf(handshake)).toEqual({
      isTrustedPeer: false,
      address: undefined,
      isSecure: true,
    });
  });

  it("is the proxy itself where that names nobody", () => {
    expect(seen(either, {})).toEqual(["10.0.0.1", "ws"]);
  });

  it("is never an address that the client typed behind the first untrusted hop", () => {
    const hop = fc.constantFrom(
      "10.0.0.2",
      "10.1.1.1",
      "192.0.2.1",
      "198.51.100.1",
      "unknown",
      "::1",
    );
    fc.assert(
      fc.property(fc.array(hop, { minLength: 1, maxLength: 6 }), (hops) => {
        const trusted = /^10\.|^::1$/;
        let index = hops.length - 1;
        while (index > 0 && trusted.test(hops[index] ?? "")) index--;
        const client = hops[index];
        const expected = client === "unknown" ? undefined : client;
        expect(seen(either, { "x-forwarded-for": hops.join(", ") })).toEqual([expected, "ws"]);
      }),
    );
  });
});

describe("the client behind Forwarded", () => {
  it.each<[string, string, unknown]>([
    ["address and scheme", "for=192.0.2.1;proto=https", ["192.0.2.1", "wss"]],
    [
      "the scheme of the client's own hop",
      "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http",
      ["192.0.2.1", "wss"],
    ],
    ["a hidden client", "for=_hidden", [undefined, "ws"]],
    ["a hop without for", "proto=https", [undefined, "wss"]],
    ["what is not of the grammar", "for=192.0.2.1;;", "forwarded_invalid"],
    ["an empty header", "", "forwarded_invalid"],
  ])("%s", (_, forwarded, expected) => {
    expect(seen(either, { forwarded })).toEqual(expected);
    expect(seen(byForwarded, { forwarded })).toEqual(expected);
  });
});

describe("the scheme", () => {
  it.each([
    ["https", "wss"],
    ["HTTPS", "wss"],
    ["wss", "wss"],
    ["http", "ws"],
    ["ws", "ws"],
    ["", "ws"],
    ["httpsx", "ws"],
    [" https ", "wss"],
    ["https, https", "wss"],
  ])("said to be %j is %s", (proto, scheme) => {
    expect(seen(either, { "x-forwarded-proto": proto })).toEqual(["10.0.0.1", scheme]);
  });

  it("is that of the proxy's own connection where nothing is said", () => {
    expect(seen(either, {}, "10.0.0.1", true)).toEqual(["10.0.0.1", "wss"]);
  });

  it("said to be plain is plain, though the proxy's own connection is not", () => {
    expect(seen(either, { "x-forwarded-proto": "http" }, "10.0.0.1", true)).toEqual([
      "10.0.0.1",
      "ws",
    ]);
  });
});

describe("what contradicts itself is refused", () => {
  it.each<[string, Headers]>([
    ["two clients", { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.2" }],
    ["a client and none", { "x-forwarded-for": "192.0.2.1", forwarded: "for=unknown" }],
    ["two schemes in one header", { "x-forwarded-proto": "https, http" }],
    ["two schemes on two lines", { "x-forwarded-proto": ["https", "http"] }],
    [
      "two schemes in two headers",
      { "x-forwarded-proto": "http", forwarded: "for=192.0.2.1;proto=https" },
    ],
  ])("%s", (_, headers) => {
    expect(seen(either, headers)).toBe("forwarded_conflict");
  });

  it.each<[string, Headers, unknown]>([
    [
      "one client in two spellings",
      { "x-forwarded-for": "::ffff:192.0.2.1", forwarded: "for=192.0.2.1" },
      ["192.0.2.1", "ws"],
    ],
    ["neither tells", { "x-forwarded-for": "unknown", forwarded: "for=_x" }, [undefined, "ws"]],
    [
      "schemes of one kind",
      { "x-forwarded-proto": "wss", forwarded: "for=192.0.2.1;proto=https" },
      ["192.0.2.1", "wss"],
    ],
  ])("but not %s", (_, headers, expected) => {
    expect(seen(either, headers)).toEqual(expected);
  });
});

describe("where one header counts, the other is not looked at", () => {
  const headers = {
    "x-forwarded-for": "192.0.2.1",
    forwarded: "for=192.0.2.2;proto=https",
    "x-forwarded-proto": "http",
  };

  it("X-Forwarded-For with X-Forwarded-Proto", () => {
    expect(seen(byList, { ...headers, forwarded: ";;" })).toEqual(["192.0.2.1", "ws"]);
  });

  it("Forwarded alone", () => {
    expect(seen(byForwarded, headers)).toEqual(["192.0.2.2", "wss"]);
  });
});

describe("the configuration", () => {
  it("is compiled once", () => {
    expect(trustedProxies(either)).toBe(either);
    expect(either.summary).toBe("10.0.0.0/8, loopback by x-forwarded-for or forwarded");
    expect(byList.summary).toBe("10.0.0.0/8 by x-forwarded-for");
  });

  it.each<[string, unknown, string, string]>([
    [
      "everyone",
      ["0.0.0.0/0"],
      "ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE",
      '"10.0.0.0/8" or "loopback"',
    ],
    ["half of everyone", ["128.0.0.0/1"], "ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE", '"10.0.0.0/8"'],
    ["everyone in IPv6", ["::/0"], "ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE", '"10.0.0.0/8"'],
    [
      "all of IPv4 by its mapped name",
      ["::ffff:0:0/96"],
      "ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE",
      '"10.0.0.0/8"',
    ],
    [
      "a mapped block that is wider",
      ["::ffff:10.0.0.0/8"],
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      "Write an address",
    ],
    [
      "a slip of the hand",
      ["lopback"],
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      'Did you mean "loopback"?',
    ],
    [
      "bits behind the prefix",
      ["10.0.0.1/8"],
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      'write "10.0.0.0/8"',
    ],
    [
      "bits behind the prefix in IPv6",
      ["fd00::1/8"],
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      "the block's first address with /8",
    ],
    [
      "a name from Object",
      ["constructor"],
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      "Write an address",
    ],
    ["nobody", [], "ERR_FIRMSHAKE_OPTION_INVALID", "a non-empty list"],
    ["no list", { header: "forwarded" }, "ERR_FIRMSHAKE_OPTION_MISSING", '"proxies" is required'],
    [
      "another header",
      { proxies: ["loopback"], header: "x-real-ip" },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"x-forwarded-for" or "forwarded"',
    ],
    ["true", true, "ERR_FIRMSHAKE_OPTION_INVALID", "expected an options object"],
  ])("cannot trust %s", (_, given, code, fix) => {
    const message = thrownBy(() => trustedProxies(given as TrustedProxiesOptions));
    expect(message).toContain(code);
    expect(message).toContain(fix);
  });

  it("may trust the widest blocks that proxies stand in", () => {
    expect(thrownBy(() => trustedProxies(["10.0.0.0/8", "fc00::/7"]))).toBe("nothing was thrown");
  });
});
