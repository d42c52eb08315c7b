import { describe, expect, it } from "vitest";
import type { Result } from "../../packages/audit/src/cli/assess.ts";
import { exitCodes } from "../../packages/audit/src/formats/assessment.ts";
import { finding, judged, report, target } from "./runs.ts";

const result = (...findings: Parameters<typeof report>[0]): Result => ({
  target,
  report: report(findings),
  origins: [],
});
const low = finding("WS-ORIGIN-8", "fail");
const info = finding("WS-ORIGIN-3", "fail");
const passed = finding("WS-HS-1", "pass");
const open = finding("WS-AUTH-1", "inconclusive");
const skipped = finding("WS-JWT-1", "skipped");
const accepted = { id: "WS-ORIGIN-8", reason: "Until the move.", until: "2027-01-31" } as const;

describe("a run", () => {
  it.each([
    ["nothing failed", [result(passed, skipped, open)], {}, 0],
    ["something failed", [result(passed, low)], {}, 1],
    ["what failed is less bad than asked for", [result(passed, info)], {}, 0],
    ["what failed is asked for", [result(info)], { failOn: "info" }, 1],
    ["the least severity is raised", [result(passed, low)], { failOn: "medium" }, 0],
    ["what failed is accepted", [result(low)], { acceptances: [accepted] }, 0],
    [
      "it is accepted at this target",
      [result(low)],
      { acceptances: [{ ...accepted, target: "ws://127.0.0.1:8080/chat?room=1" }] },
      0,
    ],
    [
      "it is accepted at another target",
      [result(low)],
      { acceptances: [{ ...accepted, target: "ws://127.0.0.1:8080/other" }] },
      1,
    ],
    [
      "the last day of the acceptance is today",
      [result(low)],
      { acceptances: [{ ...accepted, until: "2026-11-25" }] },
      0,
    ],
    [
      "the acceptance was over yesterday",
      [result(low)],
      { acceptances: [{ ...accepted, until: "2026-11-24" }] },
      1,
    ],
    [
      "a check that must pass is mild, and failed",
      [result(info)],
      { expectations: { mustPass: ["WS-ORIGIN-*"] } },
      1,
    ],
    [
      "a check that must pass was skipped",
      [result(passed, skipped)],
      { expectations: { mustPass: ["WS-JWT-1"] } },
      2,
    ],
    [
      "a check that must pass is inconclusive",
      [result(passed, open)],
      { expectations: { mustPass: ["*"] } },
      2,
    ],
    [
      "an inconclusive check may be so",
      [result(passed, open)],
      { expectations: { mayBeInconclusive: ["WS-AUTH-*"] } },
      0,
    ],
    [
      "an inconclusive check may not be so",
      [result(passed, open)],
      { expectations: { mayBeInconclusive: [] } },
      2,
    ],
    ["no check concluded", [result(open, skipped)], {}, 2],
    ["the target is gone", [{ target, problem: "It is gone.", origins: [] }], {}, 2],
    [
      "one target is weak and another is gone",
      [result(low), { target, problem: "It is gone.", origins: [] }],
      {},
      1,
    ],
    ["one target is clean and another weak", [result(passed), result(low)], {}, 1],
  ] as const)("where %s", (_, results, over, exitCode) => {
    expect(exitCodes[judged(results as readonly Result[], over).outcome]).toBe(exitCode);
  });

  it.each(["aborted", "handshakes", "bytes", "time", "server-gone"] as const)(
    "that was cut short (%s) is not clean",
    (cutShort) => {
      const whole = report([passed]);
      const found = { ...whole, summary: { ...whole.summary, cutShort } };
      const { outcome, targets } = judged([{ target, report: found, origins: [] }]);
      expect(outcome).toBe("inconclusive");
      expect(targets[0]?.problems).toHaveLength(1);
    },
  );

  it("whose own handshake was refused is not clean, and says what to give", () => {
    const whole = report([open]);
    const found = { ...whole, baseline: { ...whole.baseline, isAccepted: false } };
    const { outcome, targets } = judged([{ target, report: found, origins: [] }]);
    expect(outcome).toBe("inconclusive");
    expect(targets[0]?.problems[0]).toContain("--token");
  });

  it.each([
    [true, 0],
    [false, 1],
    [undefined, 2],
  ])("with an expected origin of which %s is known", (isMet, exitCode) => {
    const origins = [
      { origin: "https://a.example", expected: "refused", isMet, observation: "" } as const,
    ];
    const { outcome } = judged([{ target, report: report([passed]), origins }]);
    expect(exitCodes[outcome]).toBe(exitCode);
  });
});

describe("a baseline", () => {
  it("shows its reason with what it silences", () => {
    const { targets } = judged([result(low)], { acceptances: [accepted] });
    expect(targets[0]?.findings).toMatchObject([
      { standing: "accepted", note: "Accepted until 2027-01-31: Until the move." },
    ]);
  });

  it("whose entry is over is named", () => {
    const { notices, targets } = judged([result(low)], {
      acceptances: [{ ...accepted, until: "2026-10-01" }],
    });
    expect(notices).toEqual([
      "The baseline accepts WS-ORIGIN-8 until 2026-10-01, which is over (Until the move.). Mend it, or decide again.",
    ]);
    expect(targets[0]?.findings).toMatchObject([
      { standing: "weak", note: expect.stringContaining("which is over") },
    ]);
  });

  it("that accepts what passes now is to be tidied up, and one that accepts what was not tried is not", () => {
    const { notices } = judged([result(passed, skipped)], {
      acceptances: [
        { ...accepted, id: "WS-HS-1" },
        { ...accepted, id: "WS-JWT-1" },
      ],
    });
    expect(notices).toEqual(["The baseline accepts WS-HS-1, which passes now. Take it out."]);
  });
});
