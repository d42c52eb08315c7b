import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Check, guard, insecureAnyOrigin } from "@firmshake/core";
import { afterAll, describe, expect, it } from "vitest";
import { requirement } from "../support/requirement.ts";
import type { AnswerWords } from "./answer-words.ts";
import { inTime, LateAnswer } from "./outcome.ts";
import { type PolicyWords, readPolicyWords } from "./policy-words.ts";
import { fullRequest } from "./request.ts";
import { runFolder } from "./run-folder.ts";
import { runInProcess } from "./run-in-process.ts";
import { bytesOf, runOverSocket } from "./run-over-socket.ts";
import { startServices } from "./services.ts";

const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A folder with one corpus of these cases. */
function folderOf(...cases: readonly unknown[]): string {
  const folder = mkdtempSync(join(tmpdir(), "firmshake-corpus-"));
  folders.push(folder);
  writeFileSync(join(folder, "cases.json"), JSON.stringify({ corpus: "made up", cases }));
  return folder;
}

const request = {
  remoteAddress: "203.0.113.7",
  tls: true,
  headers: [
    ["Host", "app.example.com"],
    ["Origin", "https://app.example.com"],
  ],
};

const good = {
  id: "good",
  given: { policy: { origins: ["https://app.example.com"] }, request },
  expect: "allow",
  reason: "listed",
  source: "made up",
};

const raw = {
  lines: [
    "GET /ws HTTP/1.1",
    "Host: app.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Origin: https://app.example.com",
  ],
};

const token = {
  header: { alg: "HS256" },
  payload: { iss: "https://id.example.com", aud: "ws.example.com", exp: "@now+300" },
  sign: { key: "hs-main", alg: "HS256" },
};

const jwt = {
  algorithms: ["HS256"],
  issuer: "https://id.example.com",
  audience: "ws.example.com",
  keys: "hs-main",
};

describe("what is reported", () => {
  it("ends with the numbers, in this form", async () => {
    const { lines, exitCode } = await runFolder(folderOf(good));
    expect(lines).toEqual(["corpus: 1/1"]);
    expect(exitCode).toBe(0);
  });

  it("names what was expected and what came, in both ways of running a case", async () => {
    const { lines, exitCode } = await runFolder(folderOf({ ...good, expect: "deny" }));
    expect(lines).toEqual([
      "FAILED  good (cases.json) in process: expected deny, got allow [listed]",
      "FAILED  good (cases.json) over a socket: expected deny, got allow [listed]",
      "corpus: 0/1",
    ]);
    expect(exitCode).toBe(1);
  });

  it("says why something was denied", async () => {
    const policy = { origins: ["https://other.example"] };
    const { lines } = await runFolder(folderOf({ ...good, given: { policy, request } }));
    expect(lines[0]).toContain("expected allow, got deny (origin_denied)");
  });

  it("does not take one refusal for another, where the case names one", async () => {
    const policy = { origins: ["https://other.example"] };
    const wrong = { ...good, given: { policy, request }, expect: "deny", code: "host_denied" };
    const { lines, exitCode } = await runFolder(folderOf(wrong));
    expect(lines[0]).toContain("expected host_denied, got deny (origin_denied)");
    expect(exitCode).toBe(1);
  });

  it("fails where the checks saw another client", async () => {
    const { lines, exitCode } = await runFolder(folderOf({ ...good, clientIp: "203.0.113.8" }));
    expect(lines[0]).toContain("expected the client to be 203.0.113.8, got 203.0.113.7");
    expect(exitCode).toBe(1);
  });

  it("takes an address in another spelling for the same client", async () => {
    const given = { ...good.given, request: { ...request, remoteAddress: "2001:db8::7" } };
    const { lines } = await runFolder(folderOf({ ...good, given, clientIp: "2001:0db8:0::7" }));
    expect(lines).toEqual(["corpus: 1/1"]);
  });

  it("counts a policy that is not loaded as denied, and says so", async () => {
    const given = { policy: { origins: ["*"] }, request };
    const { lines, exitCode } = await runFolder(folderOf({ ...good, given, expect: "deny" }));
    expect(lines[0]).toContain("note    good: the policy was not loaded: origin:");
    expect(lines.at(-1)).toBe("corpus: 1/1");
    expect(exitCode).toBe(0);
  });

  it("fails for an empty folder", async () => {
    const { lines, exitCode } = await runFolder(folderOf());
    expect(lines).toEqual(["corpus: 0/0"]);
    expect(exitCode).toBe(1);
  });
});

describe("sequences", () => {
  const steps = (expected: string): unknown[] => [
    { at: 0, do: "open", as: "a", expect: "allow" },
    { at: 1, do: "open", as: "b", expect: expected },
  ];
  const rate = { handshakes: 1, perSeconds: 60, key: "ip" };
  const sequence = { ...good, id: "sequence", expect: "as-steps" };

  it("run on a faked clock", async () => {
    const given = { policy: { ...good.given.policy, rate }, steps: steps("deny") };
    expect((await runFolder(folderOf({ ...sequence, given }))).lines).toEqual(["corpus: 1/1"]);
  });

  it("fail at the step that went another way", async () => {
    const given = { policy: { ...good.given.policy, rate }, steps: steps("allow") };
    const { lines, exitCode } = await runFolder(folderOf({ ...sequence, given }));
    expect(lines[0]).toContain("at 1 s b: expected allow, got deny (rate_limited)");
    expect(exitCode).toBe(1);
  });

  it("run in process and over a socket", async () => {
    const given = { policy: { ...good.given.policy, rate }, steps: steps("allow") };
    const { lines } = await runFolder(folderOf({ ...sequence, given }));
    expect(lines.map((line) => line.split(" at ")[0])).toEqual([
      "FAILED  sequence (cases.json) in process:",
      "FAILED  sequence (cases.json) over a socket:",
      "corpus: 0/1",
    ]);
  });

  it("send a handshake once more, or several times at once, and count who has passed", async () => {
    const policy = { ...good.given.policy, rate: { ...rate, handshakes: 3 } };
    const given = (allowed: number): unknown => ({
      policy,
      steps: [
        { at: 0, do: "open", as: "a", expect: "allow" },
        { at: 0, do: "open", again: "a", expect: "allow" },
        { at: 0, do: "open-at-once", times: 4, allowed },
        { at: 0, do: "open", again: "a", expect: "deny", code: "rate_limited" },
        { at: 0, do: "open", again: "a", remoteAddress: "203.0.113.8", expect: "allow" },
      ],
    });
    const { lines } = await runFolder(folderOf({ ...sequence, given: given(1) }));
    expect(lines).toEqual(["corpus: 1/1"]);
    const wrong = await runFolder(folderOf({ ...sequence, given: given(2) }));
    expect(wrong.lines[0]).toContain("at 0 s open-at-once: expected 2 of 4 to pass, got 1");
  });

  it("do not take one refusal for another, where the step names one", async () => {
    const [first, second] = steps("deny") as readonly object[];
    const named = [first, { ...second, code: "origin_denied" }];
    const given = { policy: { ...good.given.policy, rate }, steps: named };
    const { lines } = await runFolder(folderOf({ ...sequence, given }));
    expect(lines[0]).toContain("expected origin_denied, got deny (rate_limited)");
  });

  it("are pending, and not passed, where they need what is not there yet", async () => {
    const given = {
      policy: { ...good.given.policy, maxSubscriptions: 10 },
      steps: steps("allow"),
    };
    const { lines, exitCode } = await runFolder(folderOf(good, { ...sequence, given }));
    expect(lines).toEqual(["pending sequence: needs policy.maxSubscriptions", "corpus: 1/2"]);
    expect(exitCode).toBe(0);
  });

  it("run over sockets where they are about connections", async () => {
    const policy = { ...good.given.policy, maxConnectionSeconds: 60 };
    const opened = { at: 0, do: "open", as: "a", expect: "allow" };
    const outcomes = [
      [{ at: 59, do: "expect-open", as: "a" }, "corpus: 1/1"],
      [{ at: 61, do: "expect-closed", as: "a", codes: [1001] }, "corpus: 1/1"],
      [{ at: 61, do: "expect-open", as: "a" }, "expected open, got closed (1001 max_age_reached)"],
      [{ at: 59, do: "expect-closed", as: "a" }, "at 59 s a: expected closed, got open"],
      [
        { at: 61, do: "expect-closed", as: "a", codes: [3000] },
        "expected closed by 3000, got closed (1001 max_age_reached)",
      ],
      [
        { at: 61, do: "expect-closed", as: "a", codes: [1001], code: "token_expired" },
        "expected closed by 1001 token_expired, got closed (1001 max_age_reached)",
      ],
    ] as const;
    for (const [step, expected] of outcomes) {
      const given = { policy, steps: [opened, step] };
      expect((await runFolder(folderOf({ ...sequence, given }))).lines[0]).toContain(expected);
    }
  });

  it("send what they say to the application, and tell what has come back and what has reached it", async () => {
    const policy = { ...good.given.policy, maxMessageBytes: 10 };
    const opened = { at: 0, do: "open", as: "a", expect: "allow" };
    const sent = {
      at: 1,
      do: "send",
      as: "a",
      messages: ["fits"],
      frames: [{ opcode: 1, bytes: 11 }],
    };
    const closed = { at: 2, do: "expect-closed", as: "a", codes: [1009], code: "message_too_big" };
    const outcomes = [
      [
        [
          { ...sent, chunkBytes: 1 },
          { ...closed, heard: "fits", unheard: "x" },
        ],
        "corpus: 1/1",
      ],
      [[sent, { ...closed, heard: "this" }], 'expected "this" to come back'],
      [[sent, { ...closed, unheard: "fit" }], '"fit" has reached the application'],
      [[{ at: 1, do: "send", as: "a" }], "send without anything"],
      [[{ at: 1, do: "send", as: "b", bytes: 1 }], 'nobody is called "b"'],
    ] as const;
    for (const [more, expected] of outcomes) {
      const given = { policy, steps: [opened, ...more] };
      expect((await runFolder(folderOf({ ...sequence, given }))).lines[0]).toContain(expected);
    }
  });

  it("let go of a handshake that was begun when they say so", async () => {
    const policy = { ...good.given.policy, jwt: "hs-main" };
    const begun = { at: 0, do: "begin", as: "a", user: "u1" };
    const revoked = { at: 1, do: "logout", user: "u1" };
    const outcomes = [
      [[begun, { at: 1, do: "finish", as: "a", expect: "allow" }], "corpus: 1/1"],
      [
        [begun, revoked, { at: 2, do: "finish", as: "a", expect: "allow" }],
        "got deny (token_invalid)",
      ],
      [[begun, { at: 1, do: "logout" }], "logout of nobody"],
    ] as const;
    for (const [steps, expected] of outcomes) {
      const given = { policy, steps };
      expect((await runFolder(folderOf({ ...sequence, given }))).lines[0]).toContain(expected);
    }
  });

  it.each([
    ["an unknown verb", [{ at: 0, do: "dance" }], 'unknown verb "dance"'],
    ["an opening without an answer", [{ at: 0, do: "open" }], "open without expect"],
    ["many at once without a number", [{ at: 0, do: "open-at-once" }], "without times and allowed"],
    [
      "a step that was not",
      [{ at: 0, do: "open", again: "x", expect: "deny" }],
      'unknown step "x"',
    ],
    [
      "a clock that runs backwards",
      [
        { at: 1, do: "open", expect: "allow" },
        { at: 0, do: "open", expect: "allow" },
      ],
      "time goes back",
    ],
  ])("fail for %s", async (_, wrong, message) => {
    const given = { ...good.given, request: undefined, steps: wrong };
    const { lines, exitCode } = await runFolder(folderOf({ ...sequence, given }));
    expect(lines[0]).toContain(message);
    expect(exitCode).toBe(1);
  });
});

describe("what is not understood fails", () => {
  it.each([
    [
      "a word of the policy",
      { given: { policy: { orgins: [] }, request } },
      'unknown word "orgins"',
    ],
    ["a word of the case", { extra: 1 }, 'unknown word "extra"'],
    [
      "a word of the request",
      { given: { policy: {}, request: { hosts: [] } } },
      'unknown word "hosts"',
    ],
    ["an expectation", { expect: "maybe" }, "expected allow or deny or as-steps"],
    ["a key", { given: { policy: { jwt: { ...jwt, keys: "x" } }, token } }, 'unknown key "x"'],
    [
      "a signing key",
      { given: { policy: { jwt }, token: { ...token, sign: { key: "x", alg: "HS256" } } } },
      'unknown secret "x"',
    ],
    [
      "a mutation",
      { given: { policy: { jwt }, token: { ...token, mutate: ["melt"] } } },
      'unknown mutation "melt"',
    ],
    [
      "a word of a sequence elsewhere",
      { given: { policy: { ticket: {} }, request } },
      '"ticket" is for sequences',
    ],
    ["a type", { given: { policy: { origins: "x" }, request } }, "expected a list"],
    [
      "messages that nobody waits for",
      { given: { policy: {}, request, messages: ["x"] } },
      "messages without policy.firstMessage",
    ],
    [
      "a token's keys from two places",
      { given: { policy: { jwt: { ...jwt, metadata: {} } }, token } },
      "give either keys or metadata",
    ],
    [
      "a certificate",
      { given: { policy: {}, request: { ...request, certificate: "x" } } },
      'unknown certificate "x"',
    ],
    [
      "a word of a way",
      { given: { policy: { any: [{ jwtt: {} }] }, request } },
      'unknown word "jwtt"',
    ],
    [
      "an answer's failure",
      { given: { policy: { authorize: { answer: { fails: "loudly" } } }, request } },
      "expected down or silent or cut",
    ],
  ])("%s", async (_, change, message) => {
    const { lines, exitCode } = await runFolder(folderOf({ ...good, ...change }));
    expect(lines[0]).toContain("FAILED  good");
    expect(lines[0]).toContain(message);
    expect(lines.at(-1)).toBe("corpus: 0/1");
    expect(exitCode).toBe(1);
  });

  it("an id that is used twice", async () => {
    const { lines } = await runFolder(folderOf(good, good));
    expect(lines).toEqual(["FAILED  good (cases.json) the id good is used twice", "corpus: 1/2"]);
  });

  it("a file that is no corpus", async () => {
    const folder = folderOf(good);
    writeFileSync(join(folder, "other.json"), "{");
    const { lines, exitCode } = await runFolder(folder);
    expect(lines[0]).toContain("FAILED  other.json");
    expect(exitCode).toBe(1);
  });
});

describe("services", () => {
  const policyOf = (answer: object): PolicyWords =>
    readPolicyWords({ authorize: { answer } }, "policy");

  it("answer what the case says, with times and long texts filled in", async () => {
    const json = { at: "@now", here: "@here/x", long: "@repeat:a:3" };
    const policy = policyOf({ status: 418, headers: [["X-A", "b"]], json });
    const services = await startServices(policy);
    const origin = services.originOf(policy.authorize?.answer as AnswerWords);
    const response = await fetch(`${origin}/anything`, { method: "POST", body: "x" });
    expect([response.status, response.headers.get("x-a")]).toEqual([418, "b"]);
    expect(await response.json()).toEqual({
      at: expect.any(Number),
      here: `${origin}/x`,
      long: "aaa",
    });
    expect(services.complaints()).toEqual([]);
    await services.close();
  });

  it("complain where they were followed to where nobody may ask", async () => {
    const policy = policyOf({
      status: 302,
      headers: [["Location", "/elsewhere"]],
      elsewhere: { a: 1 },
    });
    const services = await startServices(policy);
    const origin = services.originOf(policy.authorize?.answer as AnswerWords);
    expect(await (await fetch(origin)).json()).toEqual({ a: 1 });
    expect(services.complaints()).toEqual(["a service led elsewhere, and was followed"]);
    await services.close();
  });
});

describe("first messages", () => {
  const given = (...messages: readonly unknown[]): unknown => ({
    policy: { firstMessage: { jwt: { ...jwt, requireExp: true } } },
    token,
    messages,
  });

  it("are sent behind the handshake, and what comes of them is the answer", async () => {
    const { lines } = await runFolder(folderOf({ ...good, given: given("{token}") }));
    expect(lines).toEqual(["corpus: 1/1"]);
  });

  it("are told from one another by the code of the close", async () => {
    const { lines } = await runFolder(folderOf({ ...good, given: given({ binary: "{token}" }) }));
    expect(lines[0]).toContain("over a socket: expected allow, got deny (close_1003)");
  });
});

describe("raw cases", () => {
  it("go over a socket alone", async () => {
    const wrong = { ...good, given: { ...good.given, request: { raw } }, expect: "deny" };
    expect((await runFolder(folderOf(wrong))).lines).toEqual([
      "FAILED  good (cases.json) over a socket: expected deny, got allow [listed]",
      "corpus: 0/1",
    ]);
  });

  it("repeat lines where they say so", async () => {
    const lines = [...raw.lines, "@repeat:1100:a:"];
    const given = { ...good.given, request: { raw: { lines } } };
    const flood = { ...good, given, expect: "deny", code: "headers_too_many" };
    expect((await runFolder(folderOf(flood))).lines).toEqual(["corpus: 1/1"]);
  });
});

describe("slow answers", () => {
  const never: Check = () => new Promise(() => undefined);
  const checks = [insecureAnyOrigin(), never];
  const load = () => ({
    checks,
    guard: guard({ checks }),
    trustProxy: undefined,
    paths: undefined,
  });

  it("fail in process", async () => {
    await expect(runInProcess(load, fullRequest({}))).rejects.toThrow(LateAnswer);
  });

  it("fail over a socket", async () => {
    const full = fullRequest({});
    await expect(runOverSocket({ load, peer: full, bytes: bytesOf(full) })).rejects.toThrow(
      LateAnswer,
    );
  });

  it("fail where the process was at work all the while", async () => {
    const work = (): void => {
      const until = performance.now() + 2_100;
      while (performance.now() < until);
    };
    await expect(inTime(work)).rejects.toThrow("no answer within 2 seconds");
  });
});

const main = join(import.meta.dirname, "dist", "main.js");
const built = requirement("the corpus runner, built", main);

describe.skipIf(built.isMissing)("the command", () => {
  const command = (...args: readonly string[]): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });

  it("prints the numbers last and succeeds", () => {
    const { status, stdout } = command(folderOf(good));
    expect(stdout).toBe("corpus: 1/1\n");
    expect(status).toBe(0);
  });

  it("fails where a case does", () => {
    const { status, stdout } = command(folderOf({ ...good, expect: "deny" }));
    expect(stdout).toMatch(/^FAILED {2}good/);
    expect(stdout).toMatch(/\ncorpus: 0\/1\n$/);
    expect(status).toBe(1);
  });

  it("fails without a folder", () => {
    expect(command().status).toBe(2);
    expect(command("/nowhere/at/all").status).toBe(2);
  });

  it("uses the folder's own token builder, and notices an exception that reaches the process", () => {
    const folder = folderOf({ ...good, given: { policy: { jwt }, token } });
    mkdirSync(join(folder, "tools"));
    writeFileSync(
      join(folder, "tools", "build-jwt.mjs"),
      `export const makeBuilder = () => ({
        keys: { verify: { "hs-main": new Uint8Array(32) } },
        build: () => { setImmediate(() => { throw new Error("out of nowhere"); }); return "a.b.c"; },
      });`,
    );
    const { status, stdout } = command(folder);
    expect(stdout).toContain("an exception reached the process: out of nowhere");
    expect(status).toBe(1);
  });
});
