import XMLBuilder from "fast-xml-builder";
import type { Finding } from "../report.ts";
import type { Assessment, JudgedFinding, JudgedOrigin, JudgedTarget } from "./assessment.ts";
import { exchangeOf, originInWords, referencesOf } from "./in-words.ts";
import { printable } from "./printable.ts";

/**
 * The run as JUnit's XML: a suite for each target, a case for each check. What failed without counting, what was not tried and what could
 * not be told are skipped cases, with the reason.
 */
export function junitOf({ targets }: Assessment): string {
  const suites = targets.map(suiteOf);
  const sum = (what: "tests" | "failures" | "errors"): number =>
    suites.reduce((total, { counts }) => total + counts[what], 0);
  return builder.build({
    "?xml": { "@version": "1.0", "@encoding": "UTF-8" },
    testsuites: {
      "@name": "firmshake audit",
      "@tests": `${sum("tests")}`,
      "@failures": `${sum("failures")}`,
      "@errors": `${sum("errors")}`,
      testsuite: suites.map(({ node }) => node),
    },
  });
}

const builder = new XMLBuilder({
  attributeNamePrefix: "@",
  ignoreAttributes: false,
  suppressBooleanAttributes: false,
  suppressEmptyNode: true,
  format: true,
});

interface Case {
  readonly "@name": string;
  readonly "@classname": string;
  readonly failure?: {
    readonly "@type": string;
    readonly "@message": string;
    readonly "#text": string;
  };
  readonly error?: { readonly "@type": string; readonly "@message": string };
  readonly skipped?: string;
}

function suiteOf(target: JudgedTarget): {
  readonly counts: { readonly tests: number; readonly failures: number; readonly errors: number };
  readonly node: object;
} {
  const classname = printable(target.target);
  const cases: readonly Case[] = [
    ...target.problems.map((problem, index) => ({
      "@name": index === 0 ? "conclusion" : `conclusion ${index + 1}`,
      "@classname": classname,
      error: { "@type": "inconclusive", "@message": printable(problem) },
    })),
    ...target.findings.map((judged) => caseOf(judged, classname)),
    ...target.origins.map((origin) => originCase(origin, classname)),
  ];
  const counts = {
    tests: cases.length,
    failures: cases.filter(({ failure }) => failure !== undefined).length,
    errors: cases.filter(({ error }) => error !== undefined).length,
  };
  const { report } = target;
  return {
    counts,
    node: {
      "@name": classname,
      "@tests": `${counts.tests}`,
      "@failures": `${counts.failures}`,
      "@errors": `${counts.errors}`,
      "@skipped": `${cases.filter(({ skipped }) => skipped !== undefined).length}`,
      ...(report === undefined
        ? {}
        : {
            "@time": (report.durationMs / 1_000).toFixed(3),
            "@timestamp": printable(report.startedAt.replace(/\.\d+Z$|Z$/, "")),
          }),
      testcase: cases,
    },
  };
}

function caseOf({ finding, standing, note }: JudgedFinding, classname: string): Case {
  const common = { "@name": printable(`${finding.id} ${finding.title}`), "@classname": classname };
  const reason = printable(note ?? finding.reason);
  switch (standing) {
    case "weak":
      return {
        ...common,
        failure: {
          "@type": finding.severity,
          "@message": printable(finding.reason),
          "#text": printable(detailsOf(finding, note)),
        },
      };
    case "unproven":
      return { ...common, error: { "@type": "unproven", "@message": reason } };
    case "passed":
      return common;
    default:
      return { ...common, skipped: `${standing}: ${reason}` };
  }
}

function originCase(judged: JudgedOrigin, classname: string): Case {
  const words = printable(originInWords(judged));
  const common = {
    "@name": printable(`origin ${judged.origin} is ${judged.expected}`),
    "@classname": classname,
  };
  if (judged.isMet === true) return common;
  return judged.isMet === false
    ? { ...common, failure: { "@type": "expectation", "@message": words, "#text": words } }
    : { ...common, error: { "@type": "unproven", "@message": words } };
}

function detailsOf(finding: Finding, note: string | undefined): string {
  return [
    finding.reason,
    ...(note === undefined ? [] : [note]),
    ...finding.evidence.flatMap((one) => [
      "",
      `${one.probe}: ${one.observation}`,
      ...exchangeOf(one).map((line) => `  ${line}`),
    ]),
    "",
    finding.remedy.text,
    referencesOf(finding).join(", "),
  ].join("\n");
}
