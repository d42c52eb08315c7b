import { createHash } from "node:crypto";
import type { Log, Notification, ReportingDescriptor, Result } from "sarif";
import { type CheckId, checkIds } from "../check-id.ts";
import { type CheckDescription, checkList } from "../check-list.ts";
import type { Finding, Severity } from "../report.ts";
import type { Assessment, JudgedFinding, JudgedTarget } from "./assessment.ts";
import { exampleTitle, exchangeOf, originInWords, referencesOf } from "./in-words.ts";
import { printable } from "./printable.ts";

/** What {@link sarifOf} takes besides the run. */
export interface SarifOptions {
  /** The file of the repository in which code hosts show the results; without it they are located at the URL. */
  readonly location?: string;
}

/**
 * The run as SARIF 2.1.0. Results are what failed, with what was accepted among them, suppressed; what could not be told is a
 * notification, since many viewers show every result as a fault.
 */
export function sarifOf(assessment: Assessment, { location }: SarifOptions = {}): string {
  const { targets, outcome, version } = assessment;
  const log: Log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "Firmshake",
            semanticVersion: version,
            rules: [...checkList.map(ruleOf), originRule],
          },
        },
        invocations: [
          {
            executionSuccessful: outcome !== "inconclusive",
            toolExecutionNotifications: targets.flatMap(notificationsOf),
          },
        ],
        columnKind: "utf16CodeUnits",
        results: targets.flatMap((target) => resultsOf(target, location)),
      },
    ],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

const originRuleId = "EXPECTED-ORIGIN";
const originRule: ReportingDescriptor = {
  id: originRuleId,
  shortDescription: { text: "An origin is not treated as expected" },
  fullDescription: { text: "The file of expectations says otherwise." },
  help: { text: "Mend the list of origins in the server, or the file of expectations." },
  defaultConfiguration: { level: "error" },
  properties: { "security-severity": "8.0", tags: ["security"] },
};

function ruleOf(check: CheckDescription): ReportingDescriptor {
  const { id, title, severity, remedy, references } = check;
  const examples = remedy.examples.map(
    (example) => `\n\n**${exampleTitle(example)}**\n\n\`\`\`js\n${example.code}\n\`\`\``,
  );
  const links = referencesOf(check).join(", ");
  const [cwe] = references.cwe;
  return {
    id,
    shortDescription: { text: title },
    fullDescription: { text: `${title}. ${remedy.text}` },
    help: {
      text: `${remedy.text}\n\n${links}`,
      markdown: `${remedy.text}${examples.join("")}\n\n${links}`,
    },
    ...(cwe === undefined
      ? {}
      : { helpUri: `https://cwe.mitre.org/data/definitions/${cwe.replace("CWE-", "")}.html` }),
    defaultConfiguration: { level: levels[severity] },
    properties: {
      "security-severity": securitySeverities[severity],
      tags: ["security", ...references.cwe.map((id) => `external/cwe/${id.toLowerCase()}`)],
    },
  };
}

const levels: Readonly<Record<Severity, "note" | "warning" | "error">> = {
  info: "note",
  low: "note",
  medium: "warning",
  high: "error",
  critical: "error",
};

/** In the middle of the ranges that CVSS gives these words; code hosts sort by them. */
const securitySeverities: Readonly<Record<Severity, string>> = {
  info: "0.0",
  low: "2.0",
  medium: "5.5",
  high: "8.0",
  critical: "9.5",
};

function resultsOf(target: JudgedTarget, location: string | undefined): readonly Result[] {
  const place = placeOf(target, location);
  return [
    ...target.findings
      .filter(({ finding }) => finding.verdict === "fail")
      .map((judged) => resultOf(judged, target, place)),
    ...target.origins
      .filter(({ isMet }) => isMet === false)
      .map(
        (judged): Result => ({
          ruleId: originRuleId,
          ruleIndex: checkIds.length,
          level: "error",
          message: { text: originInWords(judged) },
          locations: [place],
          partialFingerprints: fingerprint(target.target, originRuleId, judged.origin),
        }),
      ),
  ];
}

function resultOf(
  { finding, standing, note }: JudgedFinding,
  target: JudgedTarget,
  place: NonNullable<Result["locations"]>[number],
): Result {
  const { id, severity, evidence } = finding;
  return {
    ruleId: id,
    ruleIndex: checkIds.indexOf(id),
    level: levels[severity],
    message: { text: messageOf(finding, target.target) },
    locations: [place],
    partialFingerprints: fingerprint(target.target, id),
    ...(standing === "accepted"
      ? {
          suppressions: [
            {
              kind: "external" as const,
              status: "accepted" as const,
              ...(note === undefined ? {} : { justification: note }),
            },
          ],
        }
      : {}),
    properties: {
      "security-severity": securitySeverities[severity],
      severity,
      standing,
      evidence: evidence.map((one) => ({
        probe: one.probe,
        observation: one.observation,
        exchange: exchangeOf(one),
      })),
    },
  };
}

function messageOf({ title, reason, evidence }: Finding, target: string): string {
  const [first] = evidence;
  const seen = first === undefined ? "" : ` ${first.probe}: ${first.observation}`;
  return `${title} at ${target}. ${reason}${seen}`;
}

const placeOf = (
  { target }: JudgedTarget,
  location: string | undefined,
): NonNullable<Result["locations"]>[number] => ({
  physicalLocation: {
    artifactLocation:
      location === undefined
        ? { uri: uriOf(target) }
        : { uri: encodeURI(location.replaceAll("\\", "/")), uriBaseId: "%SRCROOT%" },
    region: { startLine: 1 },
  },
  logicalLocations: [{ fullyQualifiedName: target, kind: "resource" }],
});

/** By RFC 3986, which is stricter than what WHATWG calls a URL. */
function uriOf(target: string): string {
  const strict = (text: string): string =>
    text
      .replace(/%(?![\da-f]{2})/gi, "%25")
      .replace(/[^\w\-.~:/?@!$&'()*+,;=%]/g, (letter) => encodeURIComponent(letter));
  if (!URL.canParse(target)) return strict(printable(target));
  const { protocol, host, pathname, search } = new URL(target);
  return `${protocol}//${host}${strict(pathname + search)}`;
}

/** The same between runs: of where and what alone. */
function fingerprint(target: string, ...what: readonly string[]): Record<string, string> {
  const [place = ""] = target.split("?");
  const text = [place, ...what].join("\n");
  return { "firmshake/v1": createHash("sha256").update(text).digest("hex").slice(0, 32) };
}

function notificationsOf({ target, problems, findings, origins }: JudgedTarget): Notification[] {
  const untold = findings.filter(
    ({ standing }) => standing === "inconclusive" || standing === "unproven",
  );
  return [
    ...problems.map(
      (problem): Notification => ({
        level: "error",
        message: { text: `${target}: ${problem}` },
      }),
    ),
    ...untold.map(
      ({ finding, standing, note }): Notification => ({
        level: standing === "unproven" ? "error" : "note",
        message: { text: `${target}: ${finding.id}: ${note ?? finding.reason}` },
        associatedRule: { id: finding.id, index: indexOf(finding.id) },
      }),
    ),
    ...origins
      .filter(({ isMet }) => isMet === undefined)
      .map(
        (judged): Notification => ({
          level: "error",
          message: { text: `${target}: ${originInWords(judged)}` },
        }),
      ),
  ];
}

const indexOf = (id: CheckId): number => checkIds.indexOf(id);
