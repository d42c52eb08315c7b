import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Authority, parseAuthority } from "../../../packages/core/src/parse/authority.ts";
import { authorityLike } from "./authorities.ts";

describe("a host with an optional port", () => {
  it.each<[string, Authority]>([
    ["app.example.com", { host: "app.example.com", kind: "name", port: undefined }],
    ["App.Example.COM:8443", { host: "app.example.com", kind: "name", port: 8443 }],
    ["localhost.:1", { host: "localhost.", kind: "name", port: 1 }],
    ["my_host-1", { host: "my_host-1", kind: "name", port: undefined }],
    ["127.0.0.1:65535", { host: "127.0.0.1", kind: "ipv4", port: 65_535 }],
    ["[2001:DB8::1]:443", { host: "[2001:db8::1]", kind: "ipv6", port: 443 }],
    ["[::1]", { host: "[::1]", kind: "ipv6", port: undefined }],
    ["1.2.3.4.example", { host: "1.2.3.4.example", kind: "name", port: undefined }],
    ["0xg", { host: "0xg", kind: "name", port: undefined }],
  ])("reads %s", (text, authority) => {
    expect(parseAuthority(text)).toEqual(authority);
  });

  it.each([
    "",
    ".",
    ":80",
    "a..b",
    ".a",
    "a:",
    "a:0",
    "a:080",
    "a:65536",
    "a:100000",
    "a:8o",
    "a:80:80",
    "user@a",
    "a/b",
    "a b",
    "a\t",
    "a,b",
    "bücher.example",
    "a%2e",
    "127.1",
    "127.0.0.1.",
    "127.0.0.01",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "example.1",
    "example.0x",
    "[",
    "[]",
    "[::1",
    "[::1]80",
    "[::1]:",
    "[127.0.0.1]",
    "[::1%lo]",
    "[[::1]]",
    "::1",
    "a".repeat(64),
    `${"a.".repeat(127)}aa`,
    "a".repeat(263),
  ])("%j is none", (text) => {
    expect(parseAuthority(text)).toBeUndefined();
  });

  it("agrees with the same on every single letter", () => {
    for (let code = 0; code < 0x180; code++) {
      const letter = String.fromCharCode(code);
      expect(parseAuthority(`${letter}a`), letter).toEqual(slowAuthority(`${letter}a`));
      expect(parseAuthority(`a:${letter}1`), letter).toEqual(slowAuthority(`a:${letter}1`));
    }
  });

  it("agrees with a regular expression, node:net and arithmetic", () => {
    fc.assert(
      fc.property(authorityLike, (text) => {
        expect(parseAuthority(text)).toEqual(slowAuthority(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void parseAuthority(text)));
  });
});

function slowAuthority(text: string): Authority | undefined {
  const form =
    /^(?:\[([^[\]]*)\]|([a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?))(?::([1-9]\d{0,4}))?$/i;
  const found = form.exec(text);
  if (found === null || text.length > 262) return undefined;
  const [, inner, name, written] = found;
  const port = written === undefined ? undefined : Number(written);
  if (port !== undefined && port > 65_535) return undefined;
  if (inner !== undefined) {
    if (!isIPv6(inner) || inner.includes("%")) return undefined;
    return { host: `[${inner.toLowerCase()}]`, kind: "ipv6", port };
  }
  const host = (name ?? "").toLowerCase();
  if (host.length > 254) return undefined;
  if (!/(^|\.)(\d+|0x[0-9a-f]*)\.?$/.test(host)) return { host, kind: "name", port };
  return isIPv4(host) ? { host, kind: "ipv4", port } : undefined;
}
