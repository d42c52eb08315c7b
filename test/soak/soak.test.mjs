import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { requirement } from "../support/requirement.ts";
import { promises } from "./promises.mjs";

const built = requirement(
  "@firmshake/node, built",
  fileURLToPath(new URL("../../packages/node/dist/index.js", import.meta.url)),
);
const main = fileURLToPath(new URL("main.mjs", import.meta.url));
const onLinux = existsSync("/proc/self/limits");

const run = (...args) =>
  new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    );
  });

describe.skipIf(built.isMissing || !onLinux)("the command", () => {
  it("keeps its promises, with few connections for a short time", {
    timeout: 120_000,
  }, async () => {
    const { code, out, err } = await run("--connections", "200", "--seconds", "2");
    expect(out).toMatch(/^ok {3}messages: \d+ of \d+ came back/);
    expect(out).not.toContain("BAD");
    expect(err).toMatch(/20\d open after 1 rounds/);
    expect(code).toBe(0);
  });

  it.each([
    [["--connections", "10"], "At least 100 connections"],
    [["--seconds", "soon"], "for more than 0 seconds"],
    [["--connections", "100000000"], "descriptors: ulimit -n"],
  ])("does not begin with %j", async (args, message) => {
    const { code, err } = await run(...args);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });
});

const told = {
  opened: 20,
  refused: 0,
  lost: 0,
  sent: 30,
  delivered: 30,
  renewed: 3,
  revoked: 2,
  unrevoked: 0,
  attacks: 19,
  survived: 0,
  closedByDrain: 10,
};
const drained = { open: 10, closed: 10, terminated: 0 };
const memory = { heapUsed: 10_000_000, descriptors: 30, registered: 0 };
const good = { connections: 10, told, drained, before: memory, held: memory, after: memory };
const broken = (measured) =>
  promises(measured)
    .filter(({ isKept }) => !isKept)
    .map(({ what }) => what);

describe("the promises", () => {
  it("are kept where nothing went wrong", () => {
    expect(broken(good)).toEqual([]);
  });

  it.each([
    ["messages", { told: { ...told, delivered: 29 } }],
    ["messages", { told: { ...told, renewed: 0 } }],
    ["legitimate connections", { told: { ...told, refused: 1 } }],
    ["legitimate connections", { told: { ...told, lost: 1, "lost by 1002": 1 } }],
    ["revoked connections", { told: { ...told, unrevoked: 1 } }],
    ["revoked connections", { told: { ...told, revoked: 0 } }],
    ["attacks", { told: { ...told, survived: 1 } }],
    ["drain", { told: { ...told, closedByDrain: 9 } }],
    ["drain", { drained: { ...drained, terminated: 1 } }],
    ["registry", { after: { ...memory, registered: 1 } }],
    ["heap left behind", { after: { ...memory, heapUsed: 12_100_000 } }],
    ["descriptors left behind", { after: { ...memory, descriptors: 31 } }],
  ])("are not, about %s, with %j", (what, change) => {
    expect(broken({ ...good, ...change })).toEqual([what]);
  });
});
