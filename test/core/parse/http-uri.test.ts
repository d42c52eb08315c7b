import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { normalHttpUri } from "../../../packages/core/src/parse/http-uri.ts";

describe("normalHttpUri", () => {
  it.each([
    ["https://a.example/b", "https://a.example/b"],
    ["wss://a.example/b", "https://a.example/b"],
    ["ws://a.example", "http://a.example/"],
    ["HTTP://A.Example:80/B", "http://a.example/B"],
    ["https://a.example:80/", "https://a.example:80/"],
    ["wss://a.example:443/", "https://a.example/"],
    ["http://[::1]:8080/", "http://[::1]:8080/"],
    ["https://a.example/%7euser%2f%3a", "https://a.example/~user%2F%3A"],
    ["https://a.example/a/./b/../c", "https://a.example/a/c"],
    ["https://a.example/../../a", "https://a.example/a"],
    ["https://a.example/a/..", "https://a.example/"],
    ["https://a.example/a/b/.", "https://a.example/a/b/"],
    ["https://a.example/%2e%2E/a", "https://a.example/a"],
    ["https://a.example//a//", "https://a.example//a//"],
    ["https://a.example/!$&'()*+,;=:@-._~", "https://a.example/!$&'()*+,;=:@-._~"],
  ])("of %s is %s", (text, normal) => {
    expect(normalHttpUri(text)).toBe(normal);
  });

  it.each([
    "",
    "a.example",
    "//a.example/",
    "://a.example/",
    "https:/a.example",
    "https:a.example",
    "ftp://a.example/",
    "toString://a.example/",
    "https://",
    "https:///a",
    "https://a@b.example/",
    "https://a:b@c.example/",
    "https://a.example:0/",
    "https://a.example:99999/",
    "https://a.example?b",
    "https://a.example/?",
    "https://a.example/#",
    "https://a.example/a b",
    "https://a.example/%",
    "https://a.example/%4",
    "https://a.example/%zz",
    "https://a.example/%+1",
    "https://a.example/\\a",
    "https://a.example\\a",
    "https://a.example/ä",
    "https://a.example/[a]",
    " https://a.example/",
    "https://a.example/\n",
  ])("is nothing of %j", (text) => {
    expect(normalHttpUri(text)).toBeUndefined();
  });

  const piece = fc.constantFrom(
    ...[
      "a",
      "B",
      "~",
      "-",
      ".",
      "..",
      "/",
      "/./",
      "/../",
      "%2e",
      "%2E",
      "%41",
      "%7e",
      "%2f",
      "%2F",
    ],
    ...["%", "%4", "?", "#", "\\", " ", "ä", "@", ":", "!", "|", "%c3", "%C3"],
  );
  const host = fc.constantFrom(
    "a.example",
    "A.EXAMPLE",
    "127.0.0.1",
    "[::1]",
    "a b",
    "",
    "u@a.example",
  );
  const port = fc.constantFrom("", ":80", ":443", ":8443");
  const scheme = fc.constantFrom("http", "https", "ws", "wss", "WSS", "Https", "ftp", "");

  it("agrees with the letter of RFC 3986", () => {
    fc.assert(
      fc.property(scheme, host, port, fc.array(piece, { maxLength: 8 }), (s, h, p, rest) => {
        const path = rest.length === 0 ? "" : `/${rest.join("")}`;
        const text = `${s}://${h}${p}${path}`;
        expect(normalHttpUri(text)).toBe(byTheLetter(text));
      }),
      { numRuns: 5_000 },
    );
  });

  it("has a normal form that stays as it is", () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (rest) => {
        const normal = normalHttpUri(`https://a.example/${rest.join("")}`);
        if (normal !== undefined) expect(normalHttpUri(normal)).toBe(normal);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Slow and plain: the expression of RFC 3986 appendix B, the grammar of §3.3, then §6.2.2 and §6.2.3 step by step. */
function byTheLetter(text: string): string | undefined {
  const parts = /^(([^:/?#]+):)?(\/\/([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?$/.exec(text);
  if (parts === null || parts[6] !== undefined || parts[8] !== undefined) return undefined;
  const scheme = parts[2]?.toLowerCase().replace(/^ws/, "http");
  if (scheme !== "http" && scheme !== "https") return undefined;
  const authority = /^(a\.example|127\.0\.0\.1|\[::1\])(?::(\d+))?$/.exec(
    parts[4]?.toLowerCase() ?? "",
  );
  const path = parts[5] ?? "";
  if (authority === null || !/^(\/([\w.~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*$/.test(path)) {
    return undefined;
  }
  const usual = scheme === "http" ? "80" : "443";
  const port = authority[2] === undefined || authority[2] === usual ? "" : `:${authority[2]}`;
  const decoded = path.replace(/%../g, (octet) => {
    const letter = String.fromCharCode(Number.parseInt(octet.slice(1), 16));
    return /^[A-Za-z0-9._~-]$/.test(letter) ? letter : octet.toUpperCase();
  });
  return `${scheme}://${authority[1]}${port}${removeDotSegments(decoded === "" ? "/" : decoded)}`;
}

/** RFC 3986 §5.2.4, as it is written there. */
function removeDotSegments(path: string): string {
  let input = path;
  let output = "";
  while (input !== "") {
    if (input.startsWith("/./")) input = input.slice(2);
    else if (input === "/.") input = "/";
    else if (input.startsWith("/../") || input === "/..") {
      input = `/${input.slice(4)}`;
      output = output.slice(0, Math.max(output.lastIndexOf("/"), 0));
    } else {
      const end = input.indexOf("/", 1);
      const length = end === -1 ? input.length : end;
      output += input.slice(0, length);
      input = input.slice(length);
    }
  }
  return output;
}
