import { insecureAnyOrigin, type OriginOptions, origin, trustedProxies } from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";

type Allowed = Parameters<typeof origin>[0];

const asked = (
  allowed: Allowed,
  text: string | undefined,
  options: OriginOptions = {},
  sketch: HandshakeSketch = {},
): Promise<string> =>
  askedOf(
    origin(allowed, options),
    handshakeOf({ ...sketch, headers: { ...sketch.headers, origin: text } }),
  );

const listed = [
  "https://app.example.com",
  "http://localhost:3000",
  "chrome-extension://abcdef",
  "http://[::1]:8080",
];

describe("a listed origin", () => {
  it.each(listed)("%s may connect", async (text) => {
    expect(await asked(listed, text)).toBe("allow");
  });

  it.each<[string, string]>([
    ["https://evil.example", "origin_denied"],
    ["http://app.example.com", "origin_denied"],
    ["https://app.example.com:8443", "origin_denied"],
    ["https://app.example.com.evil.example", "origin_denied"],
    ["https://evilapp.example.com", "origin_denied"],
    ["https://app-example.com", "origin_denied"],
    ["https://app.example.com.", "origin_denied"],
    ["https://example.com", "origin_denied"],
    ["http://127.0.0.1:3000", "origin_denied"],
    ["http://localhost", "origin_denied"],
    ["chrome-extension://abcdeg", "origin_denied"],
    ["https://app.example.com:443", "origin_invalid"],
    ["https://app.example.com/", "origin_invalid"],
    ["https://APP.example.com", "origin_invalid"],
    ["HTTPS://app.example.com", "origin_invalid"],
    ["https://app.example.com@evil.example", "origin_invalid"],
    ["https://evil.example#https://app.example.com", "origin_invalid"],
    ["https://app.example.com\\evil.example", "origin_invalid"],
    ["https://app.example.com`evil.example", "origin_invalid"],
    ["https://app.example.com$evil.example", "origin_invalid"],
    ["https://app.example.com https://evil.example", "origin_invalid"],
    ["https://app.example.com, https://evil.example", "origin_invalid"],
    ["app.example.com", "origin_invalid"],
    ["wss://app.example.com", "origin_invalid"],
    ["NULL", "origin_invalid"],
    ["", "origin_invalid"],
  ])("is not %j: %s", async (text, code) => {
    expect(await asked(listed, text)).toBe(code);
  });

  it("is not what another case of the header's line says", async () => {
    const handshake = handshakeOf({
      headers: { origin: ["https://app.example.com", "https://app.example.com"] },
    });
    expect(await askedOf(origin(listed), handshake)).toBe("origin_invalid");
  });
});

describe("a wildcard", () => {
  const wildcards = ["https://*.example.com", "https://*.apps.example.org:8443"];

  it.each(["https://a.example.com", "https://a.b.example.com", "https://a.apps.example.org:8443"])(
    "stands for one or more labels: %s",
    async (text) => {
      expect(await asked(wildcards, text)).toBe("allow");
    },
  );

  it.each([
    "https://example.com",
    "https://evil-example.com",
    "https://example.com.evil.example",
    "https://a.example.com.evil.example",
    "http://a.example.com",
    "https://a.example.com:8443",
    "https://a.example.com.",
    "https://a.apps.example.org",
    "https://127.0.0.1",
  ])("does not stand for %s", async (text) => {
    expect(await asked(wildcards, text)).toBe("origin_denied");
  });

  it("may stand in front of localhost, which is always this machine", async () => {
    expect(await asked(["http://*.localhost:3000"], "http://app.localhost:3000")).toBe("allow");
    expect(await asked(["http://*.localhost:3000"], "http://localhost:3000")).toBe("origin_denied");
  });

  it("does not stand for what is no origin", async () => {
    expect(await asked(wildcards, "https://.example.com")).toBe("origin_invalid");
    expect(await asked(wildcards, "https://a.example.com/.example.com")).toBe("origin_invalid");
  });
});

describe("the same origin", () => {
  it.each<[string, string, boolean, string]>([
    ["https://app.example.com", "app.example.com", true, "allow"],
    ["http://app.example.com", "app.example.com", false, "allow"],
    ["https://app.example.com", "app.example.com:443", true, "allow"],
    ["https://app.example.com", "App.Example.COM", true, "allow"],
    ["http://localhost:3000", "localhost:3000", false, "allow"],
    ["http://[::1]:3000", "[::1]:3000", false, "allow"],
    ["http://app.example.com", "app.example.com", true, "origin_denied"],
    ["https://app.example.com", "app.example.com", false, "origin_denied"],
    ["https://app.example.com", "app.example.com:8443", true, "origin_denied"],
    ["https://app.example.com:8443", "app.example.com", true, "origin_denied"],
    ["https://app.example.com", "app.example.com.", true, "origin_denied"],
    ["https://sub.app.example.com", "app.example.com", true, "origin_denied"],
    ["chrome-extension://abcdef", "abcdef", true, "origin_denied"],
  ])("%s at Host %s, TLS %s: %s", async (text, host, isTls, word) => {
    expect(await asked("same-origin", text, {}, { isTls, headers: { host } })).toBe(word);
  });

  it("is none where Host is missing or doubtful", async () => {
    const text = "https://app.example.com";
    expect(await asked("same-origin", text, {}, { headers: { host: undefined } })).toBe(
      "origin_denied",
    );
    expect(
      await asked(
        "same-origin",
        text,
        {},
        { headers: { host: ["app.example.com", "app.example.com"] } },
      ),
    ).toBe("origin_denied");
  });

  it("takes the scheme from a trusted proxy, and X-Forwarded-Host from nobody", async () => {
    const trust = trustedProxies(["10.0.0.1"]);
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "evil.example" };
    const behind = { trust, peer: "10.0.0.1", isTls: false, headers };
    expect(await asked("same-origin", "https://app.example.com", {}, behind)).toBe("allow");
    expect(await asked("same-origin", "https://evil.example", {}, behind)).toBe("origin_denied");
    expect(
      await asked("same-origin", "https://app.example.com", {}, { ...behind, peer: "10.0.0.2" }),
    ).toBe("origin_denied");
  });

  it("may stand among others", async () => {
    const both = ["same-origin", "https://other.example"];
    expect(await asked(both, "https://app.example.com")).toBe("allow");
    expect(await asked(both, "https://other.example")).toBe("allow");
    expect(await asked(both, "https://evil.example")).toBe("origin_denied");
  });
});

describe("a missing origin and the opaque one are two things", () => {
  it.each<[string | undefined, OriginOptions, string]>([
    [undefined, {}, "origin_missing"],
    [undefined, { insecureAllowNull: true }, "origin_missing"],
    [undefined, { allowMissing: true }, "allow"],
    ["null", {}, "origin_null"],
    ["null", { allowMissing: true }, "origin_null"],
    ["null", { insecureAllowNull: true }, "allow"],
  ])("%s with %j: %s", async (text, options, word) => {
    expect(await asked(listed, text, options)).toBe(word);
    expect(await asked(() => true, text, options)).toBe(word);
  });
});

describe("a function", () => {
  it.each<[string, () => unknown, string]>([
    ["true", () => true, "allow"],
    ["a promise of true", async () => true, "allow"],
    ["false", () => false, "origin_denied"],
    ["a promise of false", async () => false, "origin_denied"],
    ["a text", () => "true", "origin_denied"],
    ["a promise of 1", async () => 1, "origin_denied"],
    ["nothing", () => undefined, "origin_denied"],
  ])("that answers %s", async (_, resolve, word) => {
    expect(await asked(resolve as Allowed, "https://a.example")).toBe(word);
  });

  it("is asked for origins alone, with the handshake", async () => {
    const seen: string[] = [];
    const resolve: Allowed = (text, { path }) => {
      seen.push(`${path} ${text}`);
      return true;
    };
    expect(await asked(resolve, "https://a.example/")).toBe("origin_invalid");
    expect(await asked(resolve, "https://a.example")).toBe("allow");
    expect(await asked(resolve, "chrome-extension://abc")).toBe("allow");
    expect(seen).toEqual(["/chat https://a.example", "/chat chrome-extension://abc"]);
  });
});

describe("any origin", () => {
  it.each([undefined, "null", "https://evil.example", "junk"])("lets in %s", async (text) => {
    expect(await askedOf(insecureAnyOrigin(), handshakeOf({ headers: { origin: text } }))).toBe(
      "allow",
    );
  });
});

describe("what is no list of origins", () => {
  it.each<[string, unknown, string, string]>([
    [
      "nothing",
      undefined,
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "origin: undefined is not an origin. Write the pages that may connect",
    ],
    [
      "an empty list",
      [],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "origin: an empty array is not an origin",
    ],
    ["a number in it", [1], "ERR_FIRMSHAKE_ORIGIN_INVALID", "Write each origin as a string."],
    ["*", ["*"], "ERR_FIRMSHAKE_ORIGIN_ANY", "or say insecureAnyOrigin() where that is meant"],
    ["* as a text", "*", "ERR_FIRMSHAKE_ORIGIN_ANY", "List the origins"],
    ["null", ["null"], "ERR_FIRMSHAKE_ORIGIN_INVALID", "{ insecureAllowNull: true }"],
    [
      "a path",
      ["https://app.example.com/"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "https://app.example.com".',
    ],
    [
      "a default port",
      ["https://app.example.com:443"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "https://app.example.com".',
    ],
    [
      "capitals",
      ["HTTPS://App.example.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "https://app.example.com".',
    ],
    [
      "other alphabets",
      ["https://bücher.example"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "https://xn--bcher-kva.example".',
    ],
    [
      "an address in another spelling",
      ["http://[0:0::1]:80"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "http://[::1]".',
    ],
    [
      "a WebSocket URL",
      ["wss://app.example.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "https://app.example.com".',
    ],
    [
      "a plain WebSocket URL",
      ["ws://localhost:3000/chat"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "http://localhost:3000".',
    ],
    [
      "a host alone",
      ["app.example.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'Browsers write "https://app.example.com".',
    ],
    [
      "another scheme with a path",
      ["chrome-extension://abc/"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      'such as "https://app.example.com"',
    ],
    ["what is no URL", ["https://["], "ERR_FIRMSHAKE_ORIGIN_INVALID", "Write it as browsers do"],
    [
      "a wildcard without a dot",
      ["https://*example.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      '"https://*.example.com"',
    ],
    [
      "a wildcard over a top-level name",
      ["https://*.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "a name of two or more",
    ],
    [
      "a wildcard over a top-level name with a dot behind",
      ["https://*.com."],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "a name of two or more",
    ],
    [
      "a wildcard over an address",
      ["https://*.0.0.1"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "A wildcard stands for whole labels",
    ],
    [
      "two wildcards",
      ["https://*.*.example.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "A wildcard stands for whole labels",
    ],
    [
      "a wildcard at the end",
      ["https://app.*"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "A wildcard stands for whole labels",
    ],
    [
      "a wildcard for the scheme",
      ["*://app.example.com"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "A wildcard stands for whole labels",
    ],
    [
      "a wildcard for the port",
      ["https://app.example.com:*"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "A wildcard stands for whole labels",
    ],
    [
      "a wildcard with a path",
      ["https://*.example.com/"],
      "ERR_FIRMSHAKE_ORIGIN_INVALID",
      "A wildcard stands for whole labels",
    ],
  ])("%s", (_, allowed, code, fix) => {
    const message = thrownBy(() => origin(allowed as Allowed));
    expect(message).toContain(code);
    expect(message).toContain(fix);
  });

  it.each<[object, string]>([
    [{ allowNull: true }, 'there is no option "allowNull"'],
    [{ allowMissing: 1 }, '"allowMissing" must be true or false, got 1'],
    [{ insecureAllowNull: "yes" }, '"insecureAllowNull" must be true or false'],
  ])("options %j", (options, fix) => {
    expect(thrownBy(() => origin(listed, options as OriginOptions))).toContain(fix);
  });
});
