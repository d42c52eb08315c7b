import { describe, expect, it } from "vitest";
import { attacks } from "../../packages/playground/src/attacks/all.ts";
import { type FrameworkName, frameworks } from "../../packages/playground/src/frameworks/all.ts";
import { legitimateHandshakes } from "../../packages/playground/src/legitimate.ts";
import { libraries } from "../../packages/playground/src/libraries/all.ts";
import { runOnce } from "../../packages/playground/src/once.ts";
import { startPlayground } from "../../packages/playground/src/playground.ts";
import type { LibraryName } from "../../packages/playground/src/protocol.ts";
import { drawReport, wordsOf } from "../../packages/playground/src/table.ts";
import { ways } from "../../packages/playground/src/ways/all.ts";
import { answersOfWays } from "./answers-of-ways.ts";
import { run } from "./command.ts";
import { smuggledWithoutGate } from "./smuggled-body.ts";

const anyPort = { port: 0, mayMove: true };

describe("npm start -- --once", () => {
  it.each([
    ["Express and ws", [], 4],
    ["Koa and Socket.IO", ["--framework", "koa", "--library", "socket.io"], 5],
  ])(
    "exits 0, with every attack and every legitimate handshake in its table, on %s",
    async (runsOn, options, count) => {
      const { code, text } = await run("--once", ...options);
      expect(text).toContain(`Attacks, on ${runsOn}`);
      for (const { title } of attacks) expect(text).toContain(title.slice(0, 12));
      for (const { title } of legitimateHandshakes) expect(text).toContain(title.slice(0, 12));
      for (const { title } of ways) expect(text).toContain(title.slice(0, 12));
      const handshakes = `${count} of ${count} legitimate handshakes accepted`;
      expect(text).toContain(
        `16 of 16 attacks refused, ${handshakes}, 48 of 48 attempts at the ways answered as they must be.`,
      );
      expect(code, text).toBe(0);
    },
  );

  it("exits 1 when the gate is taken away from the same code", async () => {
    const { code, text } = await run("--once", "--no-gate");
    expect(text).toContain(
      "0 of 16 attacks refused, 4 of 4 legitimate handshakes accepted, 16 of 48 attempts at the ways answered as they must be.",
    );
    expect(code, text).toBe(1);
  });
});

const frameworkNames = Object.keys(frameworks) as FrameworkName[];
const libraryNames = Object.keys(libraries) as LibraryName[];
const stacks = frameworkNames.flatMap((framework) =>
  libraryNames.map((library) => ({ framework, library })),
);

describe("what --once measures", () => {
  it.each(stacks)(
    "is each attack refused by the code that fits it, and let in without the gate, on $framework and $library",
    async ({ framework, library }) => {
      const playground = await startPlayground({ port: anyPort, framework, library });
      const report = await runOnce(playground).finally(playground.close);
      const outcomes = report.attacks.map(({ id, gated, bare }) => [id, gated.text, bare.text]);
      expect(outcomes).toEqual([
        ["cross-site", "403 origin_denied", "101, open as Ada, ping answered"],
        ["null-origin", "403 origin_null", "101, open, ping answered"],
        ["missing-token", "401 token_missing", "101, open, ping answered"],
        ["expired-token", "401 token_invalid", "101, open, ping answered"],
        ["forged-token", "401 token_invalid", "101, open, ping answered"],
        ["unsigned-token", "401 token_invalid", "101, open, ping answered"],
        ["token-in-query", "401 token_missing", "101, open, ping answered"],
        ["two-tokens", "400 token_ambiguous", "101, open, ping answered"],
        ["closed-account", "403 forbidden", "101, open, ping answered"],
        ["forgotten-path", "404 not_found", "101, open, ping answered"],
        ["rebinding", "421 host_denied", "101, open as Ada, ping answered"],
        ["spoofed-proxy", "403 address_denied", "101, open, ping answered"],
        ["two-hosts", "400 handshake_malformed", "101, open, ping answered"],
        ["smuggled-body", "400 body_not_allowed", smuggledWithoutGate(library)],
        [
          "reset",
          expect.stringMatching(/abandoned.*still serving/),
          "process dead: ECONNRESET, exit code 1",
        ],
        [
          "flood",
          expect.stringMatching(
            /^\d+ × 101, \d+ × 429 rate_limited(?:, \d+ × 429 connections_exceeded)?$/,
          ),
          "100 × 101",
        ],
      ]);
      expect(report.legitimate.map(({ id }) => id).includes("polling")).toBe(
        library === "socket.io",
      );
      expect(report.attacks.every(({ gated }) => gated.isStopped)).toBe(true);
      expect(report.attacks.some(({ bare }) => bare.isStopped)).toBe(false);
      expect(
        report.legitimate.every(({ gated, bare }) => gated.isAccepted && bare.isAccepted),
      ).toBe(true);
      expect(report.isPassed).toBe(true);
      const answers = report.ways.map(({ id, result }) => [id, wordsOf(result)]);
      expect(Object.fromEntries(answers)).toEqual(answersOfWays);
    },
  );

  it("fails when a way answers something else than it must", async () => {
    const playground = await startPlayground({ port: anyPort });
    const { lab } = playground;
    const [session] = lab.ways;
    if (session === undefined) throw new Error("There are no ways.");
    const mistaken = { ...session, acts: session.acts.map((act) => ({ ...act, expected: 1000 })) };
    const report = await runOnce({ ...playground, lab: { ...lab, ways: [mistaken] } }).finally(
      playground.close,
    );
    expect(report.ways.map(({ result }) => result.isExpected)).toEqual([false, false, false]);
    expect(report.isPassed).toBe(false);
  });

  it("fails when a legitimate handshake is refused", async () => {
    const playground = await startPlayground({ port: anyPort });
    const { lab } = playground;
    // Tokens of an issuer that is not the guard's.
    const stranger = { ...lab.issuer, sign: lab.issuer.forge };
    const report = await runOnce({ ...playground, lab: { ...lab, issuer: stranger } }).finally(
      playground.close,
    );
    expect(report.legitimate.every(({ gated }) => gated.isAccepted)).toBe(false);
    expect(report.isPassed).toBe(false);
    expect(drawReport(report, { width: 120, hasColors: false, isGated: true })).toContain(
      "0 of 4 legitimate",
    );
  });
});
