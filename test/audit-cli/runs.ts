import {
  type AuditReport,
  type CheckId,
  checkList,
  type Evidence,
  type Finding,
  type Severity,
  type Verdict,
} from "@firmshake/audit";
import { assess, type Result, type Rules } from "../../packages/audit/src/cli/assess.ts";
import type { Assessment } from "../../packages/audit/src/formats/assessment.ts";

/** What a hostile server would write, to have an effect in a page, a terminal or an XML file. */
export const hostile =
  "</script><img src=x onerror=alert(1)>\"'`&amp;]]><!--\u001b[31m\u001b]8;;https://evil.example\u0007\u0000\u202e\ud800\r\n::error::";

export const target = "ws://127.0.0.1:8080/chat";

/** A finding as the engine would make it. */
export function finding(id: CheckId, verdict: Verdict, over: Partial<Finding> = {}): Finding {
  const check = checkList.find((one) => one.id === id);
  if (check === undefined) throw new Error(`There is no check ${id}.`);
  const { title, severity, remedy, references } = check;
  return {
    id,
    title,
    severity,
    verdict,
    reason: `This is why it is ${verdict}.`,
    evidence: verdict === "skipped" ? [] : [evidence()],
    remedy,
    references,
    ...over,
  };
}

export const evidence = (over: Partial<Evidence> = {}): Evidence => ({
  probe: "Origin: https://evil.example",
  observation: "accepted: 101, still open, and a ping was answered",
  outcome: "accepted",
  request: ["GET /chat HTTP/1.1", "Host: 127.0.0.1:8080", "Origin: https://evil.example"],
  answer: ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket"],
  durationMs: 12,
  ...over,
});

export function report(findings: readonly Finding[], over: Partial<AuditReport> = {}): AuditReport {
  const tally = (verdict: Verdict): number =>
    findings.filter((one) => one.verdict === verdict).length;
  const failed = (severity: Severity): number =>
    findings.filter((one) => one.verdict === "fail" && one.severity === severity).length;
  return {
    target,
    startedAt: "2026-11-25T04:40:18.123Z",
    durationMs: 20_312,
    baseline: {
      isAccepted: true,
      reason: "The user's own handshake was accepted, and a ping was answered.",
      evidence: evidence({ probe: "The user's own handshake" }),
      stack: { dialect: "websocket", protocol: "chat.v1", headers: ["Server: nginx"] },
      address: "127.0.0.1",
      addressClass: "loopback",
    },
    findings,
    summary: {
      byVerdict: {
        fail: tally("fail"),
        pass: tally("pass"),
        inconclusive: tally("inconclusive"),
        skipped: tally("skipped"),
      },
      bySeverity: {
        info: failed("info"),
        low: failed("low"),
        medium: failed("medium"),
        high: failed("high"),
        critical: failed("critical"),
      },
      endedBy: [],
      handshakes: 168,
      bytesSent: 40_000,
      bytesReceived: 20_000,
    },
    ...over,
  };
}

const rules: Rules = {
  failOn: "low",
  expectations: {},
  acceptances: [],
  now: new Date("2026-11-25T12:00:00Z"),
};

export const judged = (results: readonly Result[], over: Partial<Rules> = {}): Assessment =>
  assess(results, { ...rules, ...over }, "0.1.0");

const one = (found: AuditReport): Result => ({ target: found.target, report: found, origins: [] });

/** Runs that between them have every verdict, severity and standing, hostile text, nothing at all, and several targets. */
export const runs: Readonly<Record<string, Assessment>> = {
  "of every verdict and severity": judged(
    [
      {
        ...one(
          report([
            finding("WS-ORIGIN-1", "fail", { severity: "critical", evidence: many(5) }),
            finding("WS-ORIGIN-2", "fail"),
            finding("WS-ORIGIN-3", "fail"),
            finding("WS-ORIGIN-5", "fail"),
            finding("WS-ORIGIN-8", "fail"),
            finding("WS-HOST-1", "fail"),
            finding("WS-HS-1", "pass"),
            finding("WS-AUTH-1", "inconclusive"),
            finding("WS-AUTH-2", "inconclusive"),
            finding("WS-JWT-1", "skipped"),
            finding("WS-JWT-3", "skipped"),
          ]),
        ),
        origins: [
          {
            origin: "https://app.example.com",
            expected: "accepted",
            isMet: true,
            observation: "accepted: 101",
          },
          {
            origin: "https://evil.example",
            expected: "refused",
            isMet: false,
            observation: "accepted: 101",
          },
          {
            origin: "https://b.example",
            expected: "refused",
            isMet: undefined,
            observation: "no answer",
          },
        ],
      },
    ],
    {
      expectations: { mustPass: ["WS-JWT-1"], mayBeInconclusive: ["WS-AUTH-1"] },
      acceptances: [
        { id: "WS-HOST-1", reason: "It goes away with the old proxy.", until: "2027-01-31" },
        { id: "WS-ORIGIN-5", reason: "Until the move.", until: "2026-01-31" },
        { id: "WS-HS-1", reason: "The old library.", until: "2027-01-31" },
      ],
    },
  ),
  "of hostile text": judged([
    one(
      report(
        [
          finding("WS-INFO-1", "fail", {
            title: `Title ${hostile}`,
            reason: hostile,
            evidence: [
              evidence({
                probe: hostile,
                observation: hostile,
                request: [hostile],
                answer: [hostile, hostile],
                firstMessage: hostile,
                closeCode: 4000,
              }),
            ],
            remedy: {
              text: hostile,
              examples: [{ library: "ws", isFirmshake: true, code: hostile }],
            },
            references: {
              cwe: ['CWE-1"><script>'],
              asvs: [hostile],
              wstg: [],
              advisories: ["javascript:alert(1)"],
            },
          }),
          finding("WS-INFO-2", "pass", { reason: hostile }),
          finding("WS-INFO-3", "inconclusive", { reason: hostile }),
        ],
        { target: `ws://127.0.0.1:8080/${hostile}` },
      ),
    ),
    { target: `ws://${hostile}/`, problem: hostile, origins: [] },
  ]),
  "of nothing": judged([]),
  "without findings": judged([one(report([]))]),
  "that is clean": judged([
    one(report([finding("WS-ORIGIN-1", "pass"), finding("WS-JWT-1", "skipped")])),
  ]),
  "of several targets": judged([
    one(report([finding("WS-ORIGIN-1", "fail")])),
    one(report([finding("WS-ORIGIN-1", "pass")], { target: "wss://[::1]:8443/?token=[masked]" })),
    {
      target: "ws://nowhere.internal/",
      problem: "the name of the target cannot be resolved.",
      origins: [],
    },
  ]),
};

function many(count: number): readonly Evidence[] {
  return Array.from({ length: count }, (_, index) =>
    evidence({ probe: `Origin: https://${index}.evil.example` }),
  );
}
