import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isOtherSchemeOrigin,
  parseSerializedOrigin,
} from "../../../packages/core/src/parse/serialized-origin.ts";
import { authorityLike } from "./authorities.ts";

describe("the text that browsers write for pages with a host", () => {
  it.each([
    [
      "https://app.example.com",
      { scheme: "https", host: "app.example.com", kind: "name", port: 443 },
    ],
    ["http://localhost:3000", { scheme: "http", host: "localhost", kind: "name", port: 3000 }],
    ["http://[::1]:8080", { scheme: "http", host: "[::1]", kind: "ipv6", port: 8080 }],
    ["http://127.0.0.1", { scheme: "http", host: "127.0.0.1", kind: "ipv4", port: 80 }],
    ["https://localhost.", { scheme: "https", host: "localhost.", kind: "name", port: 443 }],
    ["https://a:80", { scheme: "https", host: "a", kind: "name", port: 80 }],
  ])("reads %s", (text, origin) => {
    expect(parseSerializedOrigin(text)).toEqual(origin);
  });

  it.each([
    "",
    "null",
    "https://",
    "://a",
    "https:/a",
    "https:a",
    "HTTPS://app.example.com",
    "https://App.example.com",
    "https://app.example.com/",
    "https://app.example.com#x",
    "https://app.example.com?x",
    "https://app.example.com:443",
    "http://a:80",
    "https://user@app.example.com",
    "https://app.example.com@evil.example",
    "https://app.example.com\\.evil.example",
    "https://app\t.example.com",
    " https://a",
    "https://a ",
    "https://a, https://b",
    "https://[0:0:0:0:0:0:0:1]",
    "https://[::FFFF]",
    "https://[::ffff:127.0.0.1]",
    "https://127.1",
    "ws://app.example.com",
    "chrome-extension://abc",
    "__proto__://a",
    "constructor://a",
  ])("%j is none", (text) => {
    expect(parseSerializedOrigin(text)).toBeUndefined();
  });

  it("agrees with what URL writes back, over the letters that hosts are written in", () => {
    const originLike = fc
      .tuple(fc.constantFrom("http", "https", "https", "Http", "ws", "ftp"), authorityLike)
      .map(([scheme, authority]) => `${scheme}://${authority}`);
    fc.assert(
      fc.property(originLike, (text) => {
        expect(parseSerializedOrigin(text) !== undefined).toBe(isSlowlySerialized(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        parseSerializedOrigin(text);
        parseSerializedOrigin(`https://${text}`);
        isOtherSchemeOrigin(text);
      }),
    );
  });
});

describe("the outer form of other schemes' origins", () => {
  it.each([
    "chrome-extension://abcdef",
    "moz-extension://1-2-3",
    "vscode-webview://a.b:1",
    "tauri://localhost",
  ])("%s has it", (text) => {
    expect(isOtherSchemeOrigin(text)).toBe(true);
  });

  it.each([
    "",
    "null",
    "https://a",
    "http://a b",
    "://a",
    "app:/a",
    "app://a/b",
    "app://A",
    "App://a",
    "app://a@b",
    "app://a b",
    "a:b://c",
    "ws://app.example.com",
    "wss://app.example.com",
  ])("%j has not", (text) => {
    expect(isOtherSchemeOrigin(text)).toBe(false);
  });
});

function isSlowlySerialized(text: string): boolean {
  if (!/^https?:\/\/[a-z0-9._:[\]-]+$/.test(text)) return false;
  const host = text.replace(/^https?:\/\//, "").replace(/:\d+$/, "");
  const labels = host.replace(/\.$/, "").split(".");
  if (!host.startsWith("[") && labels.some((label) => label === "" || label.length > 63))
    return false;
  if (text.endsWith(":0")) return false;
  return URL.canParse(text) && new URL(text).origin === text;
}
