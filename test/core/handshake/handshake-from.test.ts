import { type HandshakeFromOptions, handshakeFrom, trustedProxies } from "@firmshake/core";
import { openingRefusal } from "@firmshake/core/gate";
import { describe, expect, it } from "vitest";
import { sampleKey, thrownBy } from "../../support/handshakes.ts";

const opening = {
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": sampleKey,
};

const request = (
  url: string,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Request => new Request(url, { headers: { ...opening, ...headers }, ...(signal && { signal }) });

describe("a handshake from a web-standard Request", () => {
  it("is valid without the headers that such runtimes withhold", () => {
    expect(openingRefusal(handshakeFrom(request("https://app.example.com/chat")))).toBeUndefined();
  });

  it("takes target, host and scheme from the URL", () => {
    const handshake = handshakeFrom(request("https://app.example.com:8443/chat?a=1#x"));
    expect(handshake.target).toBe("/chat?a=1");
    expect(handshake.headers.only("host")).toBe("app.example.com:8443");
    expect(handshake.scheme).toBe("wss");
    expect(handshake.tls).toEqual({
      protocol: undefined,
      serverName: undefined,
      isClientAuthorized: false,
    });
  });

  it.each([
    ["https://a/", "wss"],
    ["http://a/", "ws"],
    ["wss://a/", "wss"],
    ["ws://a/", "ws"],
  ])("of %s has the scheme %s", (url, scheme) => {
    expect(handshakeFrom({ method: "GET", url, headers: [] }).scheme).toBe(scheme);
  });

  it("keeps the Host header where the runtime shows it", () => {
    const headers = [["Host", "b.example"]] as const;
    const handshake = handshakeFrom({ method: "GET", url: "http://a/", headers });
    expect(handshake.headers.all("host")).toEqual(["b.example"]);
  });

  it("knows the peer where it is told", () => {
    expect(handshakeFrom(request("http://a/")).clientAddress).toBeUndefined();
    expect(handshakeFrom(request("http://a/"), { peerAddress: "192.0.2.1" }).clientAddress).toBe(
      "192.0.2.1",
    );
  });

  it.each([
    ["compiled trust", trustedProxies({ proxies: ["10.0.0.1"] })],
    ["options", { proxies: ["10.0.0.1"] }],
    ["a list", ["10.0.0.1"]],
  ])("believes proxies named by %s", (_, trustProxy) => {
    const handshake = handshakeFrom(request("http://a/", { "x-forwarded-for": "192.0.2.1" }), {
      peerAddress: "10.0.0.1",
      trustProxy,
    });
    expect(handshake.clientAddress).toBe("192.0.2.1");
  });

  it("refuses bodies and joined repeats as any other", () => {
    const two = { ...opening, host: "a, b" };
    const handshake = handshakeFrom({
      method: "GET",
      url: "http://a/",
      headers: Object.entries(two),
    });
    expect(openingRefusal(handshake)?.code).toBe("handshake_malformed");
  });

  it.each(["http://a b/", "http://[::1/", "/chat", ""])("refuses what is no URL: %j", (url) => {
    const handshake = handshakeFrom({ method: "GET", url, headers: Object.entries(opening) });
    expect(openingRefusal(handshake)?.code).toBe("target_invalid");
  });

  it("takes an address that the runtime does not know", () => {
    const { clientAddress } = handshakeFrom(request("http://a/"), { peerAddress: undefined });
    expect(clientAddress).toBeUndefined();
  });

  it("aborts with the request", () => {
    const leaving = new AbortController();
    const handshake = handshakeFrom(request("http://a/", {}, leaving.signal));
    expect(handshake.signal.aborted).toBe(false);
    leaving.abort(new Error("left"));
    expect(handshake.signal.reason).toEqual(new Error("left"));
  });

  it("aborts by its deadline", async () => {
    const { signal } = handshakeFrom(
      { method: "GET", url: "http://a/", headers: [] },
      { timeoutMs: 1 },
    );
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    expect(signal.reason).toHaveProperty("name", "TimeoutError");
  });

  it.each<[string, object, string]>([
    ["an unknown option", { peeraddress: "::1" }, 'Did you mean "peerAddress"?'],
    ["a deadline of no time", { timeoutMs: 0 }, "a whole number from 1 to 2147483647"],
    [
      "a deadline that timers cannot hold",
      { timeoutMs: 2 ** 31 },
      "a whole number from 1 to 2147483647",
    ],
    ["trust in nobody", { trustProxy: [] }, '"proxies" must be a non-empty list of strings'],
  ])("does not take %s", (_, options, fix) => {
    expect(
      thrownBy(() => handshakeFrom(request("http://a/"), options as HandshakeFromOptions)),
    ).toContain(fix);
  });
});

it("takes the transport from who knows it", () => {
  const request = new Request("https://app.example.com/socket.io/?transport=polling");
  expect(handshakeFrom(request).transport).toBe("websocket");
  expect(handshakeFrom(request, { transport: "polling" }).transport).toBe("polling");
});
