import {
  allow,
  allowWith,
  answerOf,
  ConfigError,
  configErrorCodes,
  type RefusalCode,
  type RefuseOptions,
  refusalKinds,
  refuse,
  responseOf,
} from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { isAllow, isRefusal } from "../../../packages/core/src/decision/decision.ts";
import { thrownBy } from "../../support/handshakes.ts";

const codes = Object.keys(refusalKinds) as RefusalCode[];

describe("allow", () => {
  it("is one frozen value that adds nothing", () => {
    expect(allow).toEqual({ ok: true, facts: {} });
    expect(Object.isFrozen(allow) && Object.isFrozen(allow.facts)).toBe(true);
  });

  it("with facts holds a frozen copy of them", () => {
    const facts = { room: "a" };
    const decision = allowWith(facts);
    facts.room = "b";
    expect(decision.facts).toEqual({ room: "a" });
    expect(Object.isFrozen(decision) && Object.isFrozen(decision.facts)).toBe(true);
  });
});

describe("a refusal", () => {
  it.each(codes)("%s carries what the table says of it, and is frozen", (code) => {
    const refusal = refuse(code);
    expect(refusal).toMatchObject({ ok: false, code, ...refusalKinds[code], headers: [] });
    expect(Object.isFrozen(refusal)).toBe(true);
    expect(refusal.status).toBeGreaterThanOrEqual(400);
    expect(refusal.title).toMatch(/^[A-Z][ -~]+\.$/);
  });

  it("holds a copy of its headers, which nobody can change", () => {
    const headers: [string, string][] = [["Retry-After", "5"]];
    const refusal = refuse("overloaded", undefined, { headers });
    headers.push(["Set-Cookie", "a=b"]);
    const [first] = headers;
    if (first !== undefined) first[1] = "a\r\nb";
    expect(refusal.headers).toEqual([["Retry-After", "5"]]);
    expect(Object.isFrozen(refusal.headers) && Object.isFrozen(refusal.headers[0])).toBe(true);
  });

  it("keeps reason and cause", () => {
    const cause = new Error("secret");
    const refusal = refuse("forbidden", "Members only.", { reason: "not a member", cause });
    expect([refusal.detail, refusal.reason, refusal.cause]).toEqual([
      "Members only.",
      "not a member",
      cause,
    ]);
  });

  it.each<[string, unknown, unknown, unknown, string]>([
    [
      "an unknown code",
      "teapot",
      undefined,
      {},
      'there is no refusal code "teapot"; use one of method_not_allowed,',
    ],
    ["a name from Object", "constructor", undefined, {}, "there is no refusal code"],
    ["no code", undefined, undefined, {}, "there is no refusal code"],
    ["a symbol", Symbol("x"), undefined, {}, "there is no refusal code"],
    ["an error for a detail", "forbidden", new Error("secret"), {}, "the detail must be a string"],
    [
      "a header's name that is none",
      "forbidden",
      undefined,
      { headers: [["a b", "c"]] },
      "must be a token",
    ],
    [
      "a line break in a header",
      "forbidden",
      undefined,
      { headers: [["a", "b\r\nc: d"]] },
      "one line of Latin-1 text",
    ],
    [
      "a letter beyond Latin-1",
      "forbidden",
      undefined,
      { headers: [["a", "\u0142"]] },
      "one line of Latin-1 text",
    ],
    [
      "a number for a value",
      "forbidden",
      undefined,
      { headers: [["Retry-After", 5]] },
      "must be a token and its value one line",
    ],
    ["no name", "forbidden", undefined, { headers: [[undefined, "a"]] }, "must be a token"],
  ])("is not made of %s", (_, code, detail, options, fix) => {
    const message = thrownBy(() =>
      refuse(code as RefusalCode, detail as string, options as RefuseOptions),
    );
    expect(message).toContain("ERR_FIRMSHAKE_REFUSAL_INVALID");
    expect(message).toContain(fix);
    expect(message).not.toContain("secret");
  });
});

describe("what counts as a decision", () => {
  const impostors: readonly unknown[] = [
    undefined,
    null,
    true,
    "allow",
    {},
    { ok: true, facts: {} },
    { ...allow },
    { ...refuse("forbidden") },
    Object.create(allow),
    new Proxy(allow, {}),
    structuredClone(allow),
  ];

  it("is only what was made here", () => {
    expect([allow, allowWith({}), refuse("forbidden")].map(isAllow)).toEqual([true, true, false]);
    expect([allow, allowWith({}), refuse("forbidden")].map(isRefusal)).toEqual([
      false,
      false,
      true,
    ]);
  });

  it.each(impostors.map((impostor) => [impostor]))("is not %o", (impostor) => {
    expect(isAllow(impostor)).toBe(false);
    expect(isRefusal(impostor)).toBe(false);
  });
});

describe("the answer", () => {
  it("is a problem document of fixed text that no cache keeps", () => {
    const { status, headers, body } = answerOf(refuse("origin_denied"));
    expect(status).toBe(403);
    expect(headers).toEqual([
      ["Content-Type", "application/problem+json"],
      ["Cache-Control", "no-store"],
    ]);
    expect(JSON.parse(body)).toEqual({
      type: "urn:firmshake:refusal:origin_denied",
      title: "This origin may not connect.",
      status: 403,
      code: "origin_denied",
    });
  });

  it("says the detail and the headers, and neither reason nor cause", () => {
    const refusal = refuse("forbidden", "Members only.", {
      headers: [["X-Plan", "free"]],
      reason: "a reason",
      cause: new Error("a cause"),
    });
    const { headers, body } = answerOf(refusal);
    expect(headers).toContainEqual(["X-Plan", "free"]);
    expect(JSON.parse(body)).toHaveProperty("detail", "Members only.");
    expect(body).not.toMatch(/a reason|a cause/);
  });

  it.each(codes)("of %s is a Response too", async (code) => {
    const refusal = refuse(code, undefined, { headers: [["Retry-After", "5"]] });
    const response = responseOf(refusal);
    expect(response.status).toBe(refusal.status);
    expect(response.headers.get("retry-after")).toBe("5");
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.text()).toBe(answerOf(refusal).body);
  });
});

describe("a configuration error", () => {
  it("is a TypeError with a code, which its message ends with", () => {
    const error = new ConfigError("ERR_FIRMSHAKE_OPTION_INVALID", "Fix it.");
    expect(error).toBeInstanceOf(TypeError);
    expect([error.name, error.code]).toEqual(["ConfigError", "ERR_FIRMSHAKE_OPTION_INVALID"]);
    expect(error.message).toBe("Fix it. (ERR_FIRMSHAKE_OPTION_INVALID)");
  });

  it("has codes that are told apart", () => {
    expect(new Set(configErrorCodes).size).toBe(configErrorCodes.length);
    for (const code of configErrorCodes) expect(code).toMatch(/^ERR_FIRMSHAKE_[A-Z0-9_]+$/);
  });
});
