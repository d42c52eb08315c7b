import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";
import { describe, expect } from "vitest";
import { itBeside as it } from "../support/test-scope.ts";
import { firmshake } from "./command.ts";

const file = (name: string): string => fileURLToPath(new URL(`guards/${name}`, import.meta.url));

const token = (): Promise<string> =>
  new SignJWT({ sub: "alice" })
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("https://id.example.com")
    .setAudience("chat")
    .setExpirationTime("5m")
    .sign(new TextEncoder().encode("only for tests: 32 bytes or more"));

describe("check-config", () => {
  it("draws a guard in which nothing is weak", async () => {
    const { code, out, err } = await firmshake(["check-config", file("strong.mjs")]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^chat\nguard "the chat"\n├─ handshake: RFC 6455 §4\.2\.1/);
    expect(out).toContain("1 guard, 0 weaknesses.");
  });

  it("marks what is weak, report mode too, and exits with 1", async () => {
    const { code, out } = await firmshake(["check-config", file("weak.mjs")], { FORCE_COLOR: "1" });
    expect(code).toBe(1);
    const shown = out.replaceAll("\u001b", "ESC");
    expect(shown).toMatch(/ESC\[33m[│ ]*[├└]─ ! .+ESC\[39m/);
    expect(shown).toContain("ESC[33mguard (report only: refuses nothing)ESC[39m");
    expect(out).toContain("2 guards, 2 weaknesses.");
  });

  it("writes JSON", async () => {
    const { code, out } = await firmshake(["check-config", file("weak.mjs"), "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      formatVersion: 1,
      guards: [
        { name: "open", mode: "enforce", weaknesses: [expect.any(String)] },
        { name: "watching", mode: "report", weaknesses: ["report only: refuses nothing"] },
      ],
    });
  });

  it("finds routes in CommonJS, and ends though the module keeps the process open", async () => {
    const { code, out } = await firmshake(["check-config", file("routes.cjs")]);
    expect(code).toBe(0);
    expect(out).toContain('routes["/chat"]');
    expect(out).toContain('routes["/admin/*"]');
  });

  it("finds guards that are middleware", async () => {
    const { code, out } = await firmshake(["check-config", file("express.mjs")]);
    expect({ code, first: out.split("\n")[0] }).toEqual({ code: 0, first: "chat" });
  });

  it.each([
    ["has no guard", "none.mjs", /none\.mjs exports no guard\. Export it/],
    ["throws", "broken.mjs", /broken\.mjs cannot be loaded: The database is not there\./],
    ["is not there", "absent.mjs", /absent\.mjs cannot be loaded: Cannot find module/],
  ])("says in a sentence that a module %s", async (_, name, sentence) => {
    const { code, out, err } = await firmshake(["check-config", file(name)]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(sentence);
    expect(err.trimEnd()).not.toContain("\n");
  });
});

describe("try", () => {
  const own = ["--origin", "https://app.example.com", "--host", "app.example.com", "--tls"];

  it("says that a handshake is allowed, and as whom", async () => {
    const { code, out, err } = await firmshake(
      ["try", file("strong.mjs"), ...own, "--token", "env:TOKEN"],
      { TOKEN: await token() },
    );
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("✔ allowed");
    expect(out).toMatch(/ {2}✔ origin\n {2}✔ jwt\n/);
    expect(out).toContain("identity: alice");
  });

  it("says why a handshake is refused, how that is answered, and what each check said", async () => {
    const { code, out } = await firmshake([
      "try",
      file("strong.mjs"),
      "--origin",
      "https://evil.example",
    ]);
    expect(code).toBe(1);
    expect(out).toContain("✖ refused\norigin_denied: HTTP 403, close code 3003.");
    expect(out).toMatch(/ {2}✖ origin: origin_denied/);
    expect(out).not.toContain("jwt");
  });

  it("shows no token that it was given", async () => {
    const secret = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2VjcmV0c2VjcmV0";
    const { code, out, err } = await firmshake([
      "try",
      file("strong.mjs"),
      ...own,
      "--token",
      secret,
      "--header",
      "X-Api-Key: s3cr3tvalue",
      "--cookie",
      "sid=s3cr3tvalue",
      "--path",
      "/?token=s3cr3tvalue",
    ]);
    expect(code).toBe(1);
    expect(out).toContain("token_invalid");
    expect(out + err).not.toMatch(/s3cr3tvalue|c2VjcmV0/);
  });

  it("chooses the guard of the path, where there are routes", async () => {
    const admin = ["--origin", "https://admin.example.com"];
    const at = (path: string) =>
      firmshake(["try", file("routes.cjs"), ...admin, "--path", path, "--json"]);
    expect(JSON.parse((await at("/admin/users")).out)).toMatchObject({
      allowed: true,
      guard: 'routes["/admin/*"]',
    });
    expect(JSON.parse((await at("/chat?a=b")).out)).toMatchObject({
      allowed: false,
      refusal: { code: "origin_denied", status: 403, closeCode: 3003 },
    });
    expect(JSON.parse((await at("/other")).out)).toMatchObject({
      allowed: false,
      refusal: { code: "not_found" },
    });
  });

  it("says what a guard that only reports would have refused", async () => {
    const { code, out } = await firmshake(["try", file("weak.mjs"), "--guard", "watching"]);
    expect(code).toBe(0);
    expect(out).toContain("It only reports; it would have refused:\norigin_missing");
  });

  it("asks which of several guards is meant", async () => {
    const { code, err } = await firmshake(["try", file("weak.mjs")]);
    expect(code).toBe(2);
    expect(err).toContain("There are several guards: open, watching. Choose one with --guard.");
  });

  it("takes guards of an adapter, whose copy of core it uses", async () => {
    const { code, out } = await firmshake(["try", file("express.mjs"), ...own]);
    expect({ code, isAllowed: out.includes("✔ allowed") }).toEqual({ code: 0, isAllowed: true });
  });
});
