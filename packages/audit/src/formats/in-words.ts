import type { AuditReport, Evidence, RemedyExample, Severity, Verdict } from "../report.ts";
import { severities } from "../report.ts";
import { type Assessment, findingsOf, type JudgedOrigin, type JudgedTarget } from "./assessment.ts";

/** The verdict of one target in a sentence. */
export function verdictOf(target: JudgedTarget): string {
  const weak = findingsOf(target, "weak");
  const unmet = target.origins.filter(({ isMet }) => isMet === false).length;
  const parts = [
    weak.length > 0
      ? `${count(weak.length, "weakness", "weaknesses")} (${bySeverity(target)})`
      : "",
    unmet > 0 ? `${count(unmet, "origin is", "origins are")} not treated as expected` : "",
  ].filter((part) => part !== "");
  if (target.outcome === "weak") return `${parts.join(", and ")}.`;
  if (target.outcome === "inconclusive") return "Could not be concluded.";
  const silent = findingsOf(target, "minor", "accepted").length;
  return silent === 0
    ? "No weakness found."
    : `No weakness that counts; ${count(silent, "is", "are")} accepted or less bad than asked for.`;
}

/** How many findings there are of each verdict. */
export function talliesOf(target: JudgedTarget): string {
  const { findings } = target;
  const tally = (verdict: Verdict, word: string): string => {
    const found = findings.filter(({ finding }) => finding.verdict === verdict).length;
    return found === 0 ? "" : `${found} ${word}`;
  };
  return [
    tally("fail", "failed"),
    tally("pass", "passed"),
    tally("inconclusive", "inconclusive"),
    tally("skipped", "skipped"),
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** What was met at the target, and what it took to find out. */
export function circumstancesOf({ baseline, summary, durationMs }: AuditReport): string {
  const { stack, address, addressClass } = baseline;
  const protocol = stack.protocol === undefined ? "" : `, subprotocol ${stack.protocol}`;
  return `${stack.dialect}${protocol} at ${address} (${addressClass}); ${count(summary.handshakes, "handshake", "handshakes")} in ${secondsOf(durationMs)}`;
}

/** What a file of expectations says of an origin, and whether it is so. */
export function originInWords({ origin, expected, isMet, observation }: JudgedOrigin): string {
  const word =
    isMet === undefined ? ", which could not be told" : isMet ? ", and was" : ", and was not";
  return `${origin} is to be ${expected}${word} (${observation}).`;
}

/** The identifiers under which others write about it. */
export function referencesOf(finding: {
  readonly references: {
    readonly cwe: readonly string[];
    readonly asvs: readonly string[];
    readonly wstg: readonly string[];
    readonly advisories: readonly string[];
  };
}): readonly string[] {
  const { cwe, asvs, wstg, advisories } = finding.references;
  return [...cwe, ...asvs.map((id) => `ASVS ${id}`), ...wstg, ...advisories];
}

/** Whom an example of code is for. */
export function exampleTitle({ library, isFirmshake }: RemedyExample): string {
  return `${libraryNames[library]}, ${isFirmshake ? "with Firmshake" : "by its own means"}`;
}

const libraryNames: Readonly<Record<RemedyExample["library"], string>> = {
  ws: "ws",
  "socket.io": "Socket.IO",
  express: "Express",
  koa: "Koa",
  fastify: "Fastify",
  node: "Node",
};

/** What went over the wire, line by line; `>` was sent and `<` came back. */
export function exchangeOf(evidence: Evidence): readonly string[] {
  const { request = [], answer = [], closeCode, firstMessage } = evidence;
  return [
    ...request.map((line) => `> ${line}`),
    ...answer.map((line) => `< ${line}`),
    ...(firstMessage === undefined ? [] : [`< message: ${firstMessage}`]),
    ...(closeCode === undefined ? [] : [`< close: ${closeCode}`]),
  ];
}

/** One line for a whole run of several targets. */
export function runInWords({ targets }: Assessment): string {
  const of = (outcome: JudgedTarget["outcome"]): number =>
    targets.filter((target) => target.outcome === outcome).length;
  return `${count(targets.length, "target", "targets")}: ${of("weak")} weak, ${of("clean")} clean, ${of("inconclusive")} not concluded.`;
}

export const count = (number: number, one: string, many: string): string =>
  `${number} ${number === 1 ? one : many}`;

const secondsOf = (durationMs: number): string => `${(durationMs / 1_000).toFixed(1)} s`;

function bySeverity(target: JudgedTarget): string {
  const weak = findingsOf(target, "weak");
  const tally = (severity: Severity): number =>
    weak.filter(({ finding }) => finding.severity === severity).length;
  return severities
    .toReversed()
    .flatMap((severity) => (tally(severity) === 0 ? [] : [`${tally(severity)} ${severity}`]))
    .join(", ");
}
