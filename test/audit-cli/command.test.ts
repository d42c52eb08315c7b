import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { attach, guard, origin } from "@firmshake/node";
import Ajv from "ajv";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { WebSocketServer } from "ws";
import { serveWs } from "../audit/weak-servers.ts";
import { listen } from "../support/server.ts";
import { itBeside as it } from "../support/test-scope.ts";
import { firmshake, firmshakeHere, firmshakeOnTerminal, start } from "./command.ts";

/** Servers of this machine answer at once. */
const brisk = ["--answer-timeout", "10000", "--settle-time", "60"];
const origins = ["--only", "WS-ORIGIN-1,WS-ORIGIN-2", ...brisk];
const app = "https://app.example.com";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "firmshake-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder of its own for each test. */
const place = (): string => mkdtempSync(join(folder, "test-"));

function file(name: string, content: unknown): string {
  const path = join(place(), name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

/** A server behind the gate, which only lets in pages of the application. */
async function serveGated(): Promise<string> {
  const server = createServer();
  attach(server, guard(origin([app])));
  new WebSocketServer({ server }).on("connection", (socket) => socket.on("error", () => undefined));
  return `ws://127.0.0.1:${await listen(server)}/chat`;
}

describe("audit", () => {
  it("exits with 1 where something is weak, and says so first", async () => {
    const url = await serveWs();
    const { code, out, err } = await firmshake(["audit", url, ...origins]);
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(out.split("\n").slice(0, 2)).toEqual([
      `✖ weak  ${url}`,
      "2 weaknesses (1 critical, 1 high).",
    ]);
    expect(out).toContain("> Origin: https://evil.example");
    expect(out).not.toContain("\u001b");
  });

  it("exits with 0 behind the gate", async () => {
    const url = await serveGated();
    const { code, out, err } = await firmshake(["audit", url, "--origin", app, ...origins]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^✔ clean .+\nNo weakness found\.\n2 passed\.\n/);
  });

  it("exits with 2 where the user's own handshake is refused, and says what to give", async () => {
    const url = await serveGated();
    const { code, out } = await firmshake(["audit", url, ...origins]);
    expect(code).toBe(2);
    expect(out).toMatch(/^\? not concluded/);
    expect(out.replaceAll("\n", " ")).toContain("Give what your own client sends: --origin");
  });

  it("exits with 2 where nobody listens", async () => {
    const server = createServer();
    const port = await listen(server);
    server.close();
    const { code, out } = await firmshake(["audit", `ws://127.0.0.1:${port}/`, ...origins]);
    expect(code).toBe(2);
    expect(out).toContain("Could not be concluded.");
    expect(out.replaceAll("\n", " ")).toContain("Is the server running");
  });

  it("tests several targets, and sums them up", async () => {
    const [weak, strong] = [await serveWs(), await serveGated()];
    const args = ["audit", weak, strong, "--origin", app, ...origins];
    const { code, out } = await firmshake([...args, "--quiet"]);
    expect(code).toBe(1);
    expect(out).toBe(
      `${weak}: 2 weaknesses (1 critical, 1 high).\n${strong}: No weakness found.\n`,
    );
    expect((await firmshakeHere(args)).out).toContain(
      "2 targets: 1 weak, 1 clean, 0 not concluded.",
    );
  });

  it("writes as many formats as there are outputs, and the readable one to the terminal", async () => {
    const names = ["a.html", "a.sarif", "a.xml", "a.json", "a.txt"];
    const own = place();
    const outputs = names.flatMap((name) => ["--output", join(own, name)]);
    const { out } = await firmshake(["audit", await serveWs(), ...origins, ...outputs]);
    const [html, sarif, junit, json, text] = names.map((name) =>
      readFileSync(join(own, name), "utf8"),
    );
    expect(html).toMatch(/^<!doctype html>/);
    expect(JSON.parse(sarif ?? "")).toMatchObject({ version: "2.1.0" });
    expect(junit).toContain('<testsuites name="firmshake audit" tests="2" failures="2"');
    expect(JSON.parse(json ?? "")).toMatchObject({ outcome: "weak" });
    expect(text).toBe(out);
  });

  it.each(["json", "sarif", "junit", "html"])("writes %s to standard output", async (format) => {
    const url = await serveWs();
    const { out, err } = await firmshakeHere(["audit", url, ...origins, "--format", format]);
    expect(err).toBe("");
    expect(out).toMatch(/^(?:\{|<\?xml|<!doctype html>)/);
  });

  it.each([
    ["as a token", ["--token", "env:SECRET"]],
    ["as a cookie", ["--cookie", "sid=env:SECRET"]],
    ["as a header", ["--header", "X-Api-Key: env:SECRET"]],
    ["as a parameter", ["--query", "room=env:SECRET"]],
    ["as a subprotocol", ["--protocol", "chat", "--protocol", "env:PROTOCOL"]],
    ["as a first message", ["--opening", '{"auth":"s3cr3t-0123456789-vAlUe"}']],
    ["as a payload", ["--connect-payload", '{"auth":"s3cr3t-0123456789-vAlUe"}']],
  ])(
    "shows a secret that is given %s in no format, though the server says it back",
    async (_, given) => {
      const secret = "s3cr3t-0123456789-vAlUe";
      const url = await serveWs({
        options: { handleProtocols: (protocols) => [...protocols].at(-1) ?? false },
        onSocket: (socket, request) => {
          socket.send(`${request.url} ${JSON.stringify(request.headers)}`);
          socket.on("message", (data) => socket.send(String(data)));
        },
      });
      const names = ["s.html", "s.sarif", "s.xml", "s.json"];
      const own = place();
      const outputs = names.flatMap((name) => ["--output", join(own, name)]);
      const { out, err, code } = await firmshake(
        ["audit", url, ...given, "--only", "WS-ORIGIN-1,WS-AUTH-*,WS-INFO-*", ...brisk, ...outputs],
        { SECRET: secret, PROTOCOL: `bearer.${secret}` },
      );
      expect(code).toBe(1);
      const written = [out, err, ...names.map((name) => readFileSync(join(own, name), "utf8"))];
      expect(written.filter((text) => text.includes(secret))).toEqual([]);
      expect(written.filter((text) => text.includes(encodeURIComponent(secret)))).toEqual([]);
    },
  );

  it("reads secrets from files", async () => {
    const seen: (string | undefined)[] = [];
    const url = await serveWs({
      rule: ({ headers }) => {
        seen.push(headers.authorization);
        return true;
      },
    });
    await firmshake([
      "audit",
      url,
      "--token",
      `@${file("token.txt", "abc.def.ghi\n")}`,
      ...origins,
    ]);
    expect(seen).toContain("Bearer abc.def.ghi");
  });

  it("fetches tickets by a command", async () => {
    const seen: string[] = [];
    const url = await serveWs({
      rule: ({ url: path = "" }) => {
        seen.push(path);
        return true;
      },
    });
    const args = ["--ticket-command", "echo t-$((40 + 2))", "--only", "WS-AUTH-5", ...brisk];
    await firmshake(["audit", `${url}?ticket={ticket}`, ...args]);
    expect(seen).toContain("/chat?ticket=t-42");
  });

  it("silences what the baseline accepts, and fails again when that is over", async () => {
    const url = await serveWs();
    const entry = (id: string, until: string) => ({
      id,
      target: url,
      reason: "Until the move.",
      until,
    });
    const audit = (...list: object[]) =>
      firmshakeHere(["audit", url, ...origins, "--baseline", file("baseline.json", list)]);
    const silenced = await audit(
      entry("WS-ORIGIN-1", "2999-12-31"),
      entry("WS-ORIGIN-2", "2999-12-31"),
    );
    expect(silenced.code).toBe(0);
    expect(silenced.out).toContain("Accepted until 2999-12-31: Until the move.");
    const over = await audit(
      entry("WS-ORIGIN-1", "2999-12-31"),
      entry("WS-ORIGIN-2", "2020-01-31"),
    );
    expect(over.code).toBe(1);
    expect(over.out).toContain("Note: The baseline accepts WS-ORIGIN-2 at");
  });

  it("tries the origins of the expectations, each with one handshake", async () => {
    const url = await serveGated();
    const expectations = (accepted: string[], refused: string[]) => [
      "--expect",
      file("expect.json", { mustPass: ["WS-ORIGIN-*"], origins: { accepted, refused } }),
    ];
    const args = ["audit", url, "--origin", app, "--only", "WS-ORIGIN-1", ...brisk];
    const met = await firmshakeHere([...args, ...expectations([app], ["https://evil.example"])]);
    expect({ code: met.code, out: met.out }).toMatchObject({ code: 0 });
    expect(met.out).toContain("✔ https://evil.example is to be refused, and was (");
    const unmet = await firmshakeHere([...args, ...expectations(["https://b.example"], [app])]);
    expect(unmet.code).toBe(1);
    expect(unmet.out).toContain("✖ https://b.example is to be accepted, and was not (");
    expect(unmet.out).toContain("✖ https://app.example.com is to be refused, and was not (");
  });

  it("sends nothing to a public address, and says what would be sent", async () => {
    const { code, out } = await firmshakeHere(["audit", "wss://203.0.113.7/chat?token=s3cr3t"]);
    expect(code).toBe(2);
    const text = out.replaceAll("\n", " ");
    expect(text).toContain("wss://203.0.113.7/chat has a public address, so nothing was sent.");
    expect(text).toContain("up to 400 handshakes from this machine");
    expect(text).toContain("If it is yours, add --public.");
    expect(text).not.toContain("s3cr3t");
  });

  it("says what is sent where public addresses are allowed, before anything is", async () => {
    const url = await serveWs();
    const { err } = await firmshake(["audit", url, "--public", "--intrusive", ...origins]);
    expect(err).toMatch(/^An audit sends the target up to 400 handshakes.+may end a weak server/);
    expect(err).toContain("Send that only to what is yours.");
  });

  it.each([
    [
      "an option that there is not",
      ["--fromat", "json"],
      /unknown option '--fromat' \(Did you mean --format\?\)/,
    ],
    [
      "another scheme",
      ["http://localhost:1/chat?token=s3cr3t"],
      /^firmshake: http:\/\/localhost:1\/chat is not a WebSocket URL\. Write ws:\/\/localhost:1\/chat\.\n$/,
    ],
    ["no URL", ["localhost:8080"], /localhost:8080 is not a WebSocket URL/],
    ["a user in the URL", ["ws://alice:s3cr3t@localhost/"], /Give them with --header/],
    [
      "a variable that is not there",
      ["--token", "env:NOT_SET"],
      /the environment has no variable NOT_SET/,
    ],
    [
      "a file that is not there",
      ["--token", "@/nowhere/token"],
      /the file \/nowhere\/token cannot be read/,
    ],
    [
      "a secret of two lines",
      ["--token", "s3cr3t\r\nX: y"],
      /--token: the value has several lines/,
    ],
    ["an origin with a path", ["--origin", "https://a.example/x"], /--origin must be an origin/],
    ["a header without a name", ["--header", "s3cr3t"], /--header takes a name and a value/],
    ["two Authorization headers", ["--token", "a", "--header", "authorization: b"], /given twice/],
    ["an unknown check", ["--only", "WS-NONE-1"], /there is no check WS-NONE-1/],
    ["an unknown severity", ["--fail-on", "hihg"], /Allowed choices are info, low/],
    ["a number that is none", ["--max-duration", "soon"], /It is a number/],
    ["an output of an unknown ending", ["--output", "report.pdf"], /End it with \.html, \.sarif/],
    ["expectations that are no JSON", ["--expect", "package.json.md"], /cannot be read/],
  ])("given %s, says so in a sentence, and sends nothing", async (_, args, sentence) => {
    const isUrlGiven = args.length === 1;
    const url = await serveWs({
      rule: () => {
        throw new Error("Something was sent.");
      },
    });
    const { code, out, err } = await firmshakeHere([
      "audit",
      ...(isUrlGiven ? [] : [url]),
      ...args,
    ]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(sentence);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).not.toContain("s3cr3t");
  });

  it.each([
    ["--expect", "{", /is not JSON/],
    ["--expect", { mustPas: [] }, /mustPas/],
    ["--expect", { mustPass: ["WS-ORIGN-1"] }, /at mustPass\.0: there is no such check/],
    [
      "--expect",
      { origins: { refused: ["evil.example"] } },
      /at origins\.refused\.0: write an origin/,
    ],
    ["--baseline", [{ id: "WS-ORIGIN-1", until: "2999-12-31" }], /at 0\.reason/],
    ["--baseline", [{ id: "WS-ORIGIN-1", reason: " ", until: "2999-12-31" }], /say why/],
    ["--baseline", [{ id: "WS-ORIGIN-1", reason: "x", until: "soon" }], /write the last day/],
    ["--baseline", [{ id: "WS-ORIGIN-1", reason: "x", until: "2026-02-30" }], /write the last day/],
  ])("says what is wrong in a file of %s: %j", async (option, content, sentence) => {
    const path = file("wrong.json", content);
    const { code, err } = await firmshakeHere(["audit", "ws://127.0.0.1:1/", option, path]);
    expect(code).toBe(2);
    expect(err).toMatch(sentence);
    expect(err).toContain("wrong.json");
  });

  it("ends with what was found so far when it is interrupted", async () => {
    const { child, end } = start(["audit", await serveWs({ rule: interruptAt(5) }), ...brisk]);
    const { code, out } = await end;
    expect(code).toBe(1);
    expect(out).toContain("The run was interrupted.");
    expect(out).toContain("WS-ORIGIN-1");

    function interruptAt(handshakes: number): () => boolean {
      let seen = 0;
      return () => {
        seen++;
        if (seen === handshakes) child.kill("SIGINT");
        return true;
      };
    }
  });
});

describe("on a terminal", () => {
  it("shows what is being tried and what was found, in colours", async () => {
    const { code, out } = await firmshakeOnTerminal(["audit", await serveWs(), ...origins]);
    expect(code).toBe(1);
    expect(out).toContain("\u001b[");
    const shown = stripVTControlCharacters(out);
    expect(shown).toContain("1/2 WS-ORIGIN-1 A page of any origin can connect");
    expect(shown).toContain("✖ WS-ORIGIN-1 A page of any origin can connect (critical)");
    expect(shown.indexOf("✖ weak")).toBeGreaterThan(shown.lastIndexOf("2/2 WS-ORIGIN-2"));
  });

  it("has no colours with NO_COLOR, and no progress in CI", async () => {
    const { out } = await firmshakeOnTerminal(["audit", await serveWs(), ...origins], {
      NO_COLOR: "1",
      CI: "true",
    });
    expect(out).not.toContain("\u001b");
    expect(out).not.toContain("1/2 WS-ORIGIN-1");
  });
});

describe("schema", () => {
  it.each([
    ["expect", { mustPass: ["WS-ORIGIN-*"], origins: { refused: ["https://a.example"] } }, true],
    ["expect", { mustPass: ["WS-NONE-1"] }, false],
    ["expect", { more: 1 }, false],
    ["baseline", [{ id: "WS-RATE-1", reason: "x", until: "2027-01-31" }], true],
    ["baseline", [{ id: "WS-RATE-1", reason: "x" }], false],
  ])("of %s describes what is read: %j", async (name, content, isRight) => {
    const { code, out } = await firmshakeHere(["schema", name]);
    expect(code).toBe(0);
    const ajv = new Ajv.Ajv({ strict: false, formats: { date: true } });
    expect(ajv.validate(JSON.parse(out) as object, content)).toBe(isRight);
  });
});

describe("the command", () => {
  it.each([[["--help"]], [["audit", "--help"]], [["try", "--help"]], [["check-config", "--help"]]])(
    "helps with %j, within 80 columns",
    async (args) => {
      const { code, out } = await firmshakeHere(args);
      expect(code).toBe(0);
      const long = out.split("\n").filter((line) => line.length > 80);
      expect(long.filter((line) => !line.startsWith("  firmshake "))).toEqual([]);
    },
  );

  it("says where secrets may come from", async () => {
    for (const name of ["audit", "try"]) {
      const { out } = await firmshakeHere([name, "--help"]);
      expect(out).toContain("env:NAME reads the secret from the environment");
    }
  });

  it("lists the checks", async () => {
    const { out } = await firmshakeHere(["checks"]);
    expect(out).toMatch(/^WS-ORIGIN-1 +high +A page of any origin can connect\n/);
  });

  it.each([[[]], [["adit"]]])("that is not understood (%j) exits with 2", async (args) => {
    const { code, err } = await firmshakeHere(args);
    expect(code).toBe(2);
    expect(err).toMatch(/^firmshake: .+\n$/);
  });
});
