import {
  type Allow,
  allowWith,
  type Check,
  guard,
  type Identity,
  named,
  type Refusal,
  requireClaim,
  requireScope,
} from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { handshakeOf, thrownBy, wordOf } from "../../support/handshakes.ts";

const holding =
  (claims: Record<string, unknown>): (() => Allow<{ readonly identity: Identity }>) =>
  () =>
    allowWith({ identity: { subject: "ann", scheme: "bearer", claims, expiresAt: undefined } });
const asked = async (check: Check, claims: Record<string, unknown>): Promise<string> =>
  wordOf(await guard(holding(claims), check).decide(handshakeOf()));
const refusalOf = async (check: Check, ...before: readonly Check<object>[]): Promise<Refusal> => {
  const verdict = await guard(...before, check).decide(handshakeOf());
  if (verdict.ok) throw new Error("It was let in.");
  return verdict.refusal;
};
const challengeOf = ({ headers }: Refusal): string | undefined =>
  headers.find(([name]) => name === "WWW-Authenticate")?.[1];

describe("requireScope", () => {
  it.each<[string, Record<string, unknown>]>([
    ["scope alone", { scope: "chat:write" }],
    ["scope among others", { scope: "openid chat:write profile" }],
    ["a list in scope", { scope: ["openid", "chat:write"] }],
    ["scp as a text", { scp: "openid chat:write" }],
    ["scp as a list", { scp: ["openid", "chat:write"] }],
    ["scp where scope says something else", { scope: "openid", scp: ["chat:write"] }],
  ])("finds it in %s", async (_, claims) => {
    expect(await asked(requireScope("chat:write"), claims)).toBe("allow");
  });

  it.each<[string, Record<string, unknown>]>([
    ["no scope", {}],
    ["an empty one", { scope: "" }],
    ["another", { scope: "chat:read" }],
    ["one that begins alike", { scope: "chat:write:own" }],
    ["one that ends alike", { scope: "not-chat:write" }],
    ["another case", { scope: "Chat:Write" }],
    ["one in a list that has a blank", { scp: ["chat:write openid"] }],
    ["other blanks between", { scope: "openid\tchat:write" }],
    ["commas between", { scope: "openid,chat:write" }],
    ["a list in a list", { scp: [["chat:write"]] }],
    ["an object", { scope: { "chat:write": true } }],
    ["a number", { scope: 1 }],
    ["null", { scope: null, scp: null }],
    ["a prototype that has it", Object.create({ scope: "chat:write" }) as Record<string, unknown>],
    ["__proto__ in JSON", JSON.parse('{"__proto__":{"scope":"chat:write"}}')],
  ])("does not find it in %s", async (_, claims) => {
    expect(await asked(requireScope("chat:write"), claims)).toBe("insufficient_scope");
  });

  it("asks for each of several, wherever they stand", async () => {
    const check = requireScope("chat:read", "chat:write");
    expect(await asked(check, { scope: "chat:write" })).toBe("insufficient_scope");
    expect(await asked(check, { scope: "chat:write", scp: "chat:read" })).toBe("allow");
  });

  it("refuses by 403 with the scopes that are needed (RFC 6750 §3.1)", async () => {
    const refusal = await refusalOf(requireScope("chat:read", "chat:write"), holding({}));
    expect(refusal).toMatchObject({ status: 403, reason: "needs chat:read chat:write" });
    expect(challengeOf(refusal)).toBe(
      'Bearer realm="websocket", error="insufficient_scope", scope="chat:read chat:write"',
    );
  });

  it.each([
    ["none", []],
    ["an empty text", [""]],
    ["two in one text", ["chat:read chat:write"]],
    ["a quotation mark", ['"']],
    ["a backslash", ["\\"]],
    ["a line break", ["a\nb"]],
    ["other letters", ["größe"]],
    ["a list", [["chat:read"]]],
  ] as const)("cannot be %s", (_, scopes) => {
    const message = thrownBy(() => requireScope(...(scopes as unknown as [string])));
    expect(message).toContain("ERR_FIRMSHAKE_OPTION_INVALID");
    expect(message).toContain("without blanks");
  });
});

describe("requireClaim", () => {
  it.each<[string, Parameters<typeof requireClaim>[1], unknown]>([
    ["a text", "admin", "admin"],
    ["a number", 3, 3],
    ["true", true, true],
    ["false", false, false],
    ["one of a list", ["agent", "admin"], "admin"],
    ["a list that holds it", "admin", ["reader", "admin"]],
    ["a list that holds one of a list", ["agent", "admin"], ["reader", "admin"]],
    ["what a function takes", (value) => typeof value === "number" && value >= 3, 4],
  ])("lets in %s", async (_, expected, value) => {
    expect(await asked(requireClaim("roles", expected), { roles: value })).toBe("allow");
  });

  it.each<[string, Parameters<typeof requireClaim>[1], unknown]>([
    ["another text", "admin", "administrator"],
    ["another case", "admin", "Admin"],
    ["a text for a number", 1, "1"],
    ["a number for true", true, 1],
    ["null", false, null],
    ["an empty list", "admin", []],
    ["a text with blanks, which is no list", "admin", "reader admin"],
    ["a list in a list", "admin", [["admin"]]],
    ["an object", "admin", { admin: true }],
    ["what a function does not take", () => false, "admin"],
  ])("refuses %s", async (_, expected, value) => {
    expect(await asked(requireClaim("roles", expected), { roles: value })).toBe(
      "insufficient_scope",
    );
  });

  it("does not ask a function where there is no claim", async () => {
    const banned = requireClaim("status", (value) => value !== "banned");
    expect(await asked(banned, {})).toBe("insufficient_scope");
    expect(await asked(banned, { status: undefined })).toBe("insufficient_scope");
    expect(
      await asked(
        requireClaim("toString", () => true),
        {},
      ),
    ).toBe("insufficient_scope");
    expect(
      await asked(
        requireClaim("__proto__", () => true),
        {},
      ),
    ).toBe("insufficient_scope");
  });

  it.each<[string, unknown]>([
    ["throws", () => JSON.parse("{")],
    ["answers with something truthy", () => "yes"],
    ["answers with a promise", async () => true],
    ["answers nothing", () => undefined],
  ])("refuses where a function %s", async (_, predicate) => {
    expect(await asked(requireClaim("roles", predicate as () => boolean), { roles: "admin" })).toBe(
      "check_failed",
    );
  });

  it("refuses by 403, and names no claim to the client", async () => {
    const refusal = await refusalOf(requireClaim("roles", "admin"), holding({}));
    expect(refusal).toMatchObject({ status: 403, reason: "claim roles", detail: undefined });
    expect(challengeOf(refusal)).toBe('Bearer realm="websocket", error="insufficient_scope"');
  });

  it.each<[string, unknown, unknown]>([
    ["no name", "", "admin"],
    ["a name that is no text", 1, "admin"],
    ["nothing", "roles", undefined],
    ["null", "roles", null],
    ["an empty text", "roles", ""],
    ["an empty list", "roles", []],
    ["a list with null", "roles", [null]],
    ["an object", "roles", {}],
    ["no number", "roles", Number.NaN],
  ])("cannot compare with %s", (_, name, expected) => {
    expect(thrownBy(() => requireClaim(name as string, expected as string))).toContain(
      "ERR_FIRMSHAKE_OPTION_INVALID",
    );
  });

  it("keeps its list, whatever becomes of the one that was given", async () => {
    const roles = ["admin"];
    const check = requireClaim("roles", roles);
    roles.push("reader");
    expect(await asked(check, { roles: "reader" })).toBe("insufficient_scope");
  });
});

describe("what asks for rights", () => {
  const identified = named("signed in", holding({ scope: "a", roles: "b" }));

  it("stands behind whoever finds the identity", async () => {
    const message = thrownBy(() => guard(requireScope("a")));
    expect(message).toContain("ERR_FIRMSHAKE_IDENTITY_MISSING");
    expect(message).toContain("requireScope goes by identity");
    const policy = guard(identified, requireClaim("roles", "b"), requireScope("a"));
    expect(wordOf(await policy.decide(handshakeOf()))).toBe("allow");
  });

  it.each([requireScope("a"), requireClaim("roles", "b")])(
    "asks for authentication where nobody was authenticated: %s",
    async (check) => {
      const refusal = (await check(handshakeOf())) as Refusal;
      expect(refusal).toMatchObject({ code: "token_missing", status: 401 });
      expect(challengeOf(refusal)).toBe('Bearer realm="websocket"');
    },
  );

  it("is explained", () => {
    const lines = guard(
      identified,
      requireScope("chat:read", "chat:write"),
      requireClaim("roles", ["agent", 3]),
      requireClaim("level", () => true),
    ).explain();
    expect(lines).toContain("requireScope: chat:read, chat:write");
    expect(lines).toContain('requireClaim: roles "agent" or 3');
    expect(lines).toContain("requireClaim: level by function");
  });
});
