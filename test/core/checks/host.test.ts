import { guard, host, trustedProxies } from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { loopbackHost } from "../../../packages/core/src/checks/loopback-host.ts";
import { askedOf, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const asked = (
  names: readonly string[],
  header: string | readonly string[] | undefined,
): Promise<string> => askedOf(host(names), handshakeOf({ headers: { host: header } }));

describe("a listed host", () => {
  const names = [
    "app.example.com",
    "api.example.com:8443",
    "*.example.org",
    "127.0.0.1",
    "[::1]:3000",
  ];

  it.each([
    "app.example.com",
    "APP.example.com",
    "app.example.com:1234",
    "api.example.com:8443",
    "a.example.org",
    "a.b.example.org:80",
    "127.0.0.1:9",
    "[::1]:3000",
  ])("answers to %s", async (header) => {
    expect(await asked(names, header)).toBe("allow");
  });

  it.each([
    "evil.example",
    "app.example.com.evil.example",
    "evilapp.example.com",
    "app.example.com.",
    "api.example.com",
    "api.example.com:443",
    "example.org",
    "evilexample.org",
    "127.0.0.2",
    "[::1]",
    "[::1]:3001",
    "127.1",
    "app.example.com@evil.example",
    "app.example.com:0",
    "",
    undefined,
  ])("is not %s", async (header) => {
    expect(await asked(names, header)).toBe("host_denied");
  });

  it.each([
    ["app.example.com:443", true, "allow"],
    ["app.example.com:443", false, "host_denied"],
    ["app.example.com:80", false, "allow"],
    ["app.example.com:80", true, "host_denied"],
    ["*.example.com:443", true, "allow"],
  ])("%s, asked for without a port over TLS (%s)", async (name, isTls, word) => {
    expect(await askedOf(host([name]), handshakeOf({ isTls }))).toBe(word);
  });

  it("is not one of two", async () => {
    expect(await asked(names, ["app.example.com", "evil.example"])).toBe("host_denied");
  });

  it("is not what X-Forwarded-Host says", async () => {
    const handshake = handshakeOf({
      headers: { host: "evil.example", "x-forwarded-host": "app.example.com" },
    });
    expect(await askedOf(host(names), handshake)).toBe("host_denied");
  });

  it("may be any address, by its canonical literal", async () => {
    expect(await asked(["ip-literal"], "192.0.2.1:80")).toBe("allow");
    expect(await asked(["ip-literal"], "[2001:db8::1]")).toBe("allow");
    for (const header of ["10.0.2.555", "1.09.0.0", "localhost6", "0x7f.1", "evil.example"]) {
      expect(await asked(["ip-literal"], header)).toBe("host_denied");
    }
  });

  it.each<[string, unknown, string]>([
    ["nothing", undefined, 'Write a list such as ["app.example.com"]'],
    ["a text", "app.example.com", "Write a list"],
    ["an empty list", [], "an empty array is not a host"],
    ["a number", [80], "Write each host as a string."],
    [
      "a URL",
      ["https://app.example.com"],
      '"https://app.example.com" is not a host. Write "app.example.com"',
    ],
    ["a path", ["app.example.com/"], 'Write "app.example.com"'],
    ["*", ["*"], 'Write "app.example.com"'],
    ["a wildcard over an address", ["*.0.0.1"], 'Write "app.example.com"'],
    ["a wildcard within", ["a.*.example.com"], 'Write "app.example.com"'],
    ["an IPv6 address without brackets", ["::1"], '"[::1]"'],
  ])("is not written as %s", (_, names, fix) => {
    const message = thrownBy(() => host(names as string[]));
    expect(message).toContain("ERR_FIRMSHAKE_HOST_INVALID");
    expect(message).toContain(fix);
  });
});

describe("over loopback, a server without lists", () => {
  const overLoopback = (
    header: string | undefined,
    peer: string | undefined = "127.0.0.1",
  ): Promise<string> => askedOf(loopbackHost(), handshakeOf({ peer, headers: { host: header } }));

  it.each([
    "localhost",
    "localhost:3000",
    "app.localhost",
    "127.0.0.1",
    "127.9.9.9:80",
    "[::1]:3000",
    "[::ffff:7f00:1]",
    "LOCALHOST",
  ])("answers to %s", async (header) => {
    expect(await overLoopback(header)).toBe("allow");
    expect(await overLoopback(header, "::1")).toBe("allow");
  });

  it.each([
    "evil.example",
    "localhost.evil.example",
    "evillocalhost",
    "192.168.0.1",
    "0.0.0.0",
    "[2001:db8::1]",
    "127.0.0.1.evil.example",
    "localhost.",
    "",
    undefined,
  ])("does not answer to %s", async (header) => {
    expect(await overLoopback(header)).toBe("host_denied");
    expect(await overLoopback(header, "::ffff:127.0.0.1")).toBe("host_denied");
  });

  it("leaves others alone", async () => {
    expect(await overLoopback("app.example.com", "192.0.2.1")).toBe("allow");
    const nobody = handshakeOf({ peer: undefined });
    expect(await askedOf(loopbackHost(), nobody)).toBe("allow");
  });

  it("leaves a trusted proxy alone", async () => {
    const behind = handshakeOf({ peer: "127.0.0.1", trust: trustedProxies(["loopback"]) });
    expect(await askedOf(loopbackHost(), behind)).toBe("allow");
  });

  it("says in the trail, and not to the client, what to do about it", async () => {
    const handshake = handshakeOf({
      peer: "127.0.0.1",
      isTls: false,
      headers: { origin: "http://app.example.com" },
    });
    const verdict = await guard().decide(handshake);
    expect(verdict.trail.at(-1)?.reason).toContain("host([...])");
    expect(verdict).toMatchObject({
      ok: false,
      refusal: { code: "host_denied", detail: undefined },
    });
  });
});
