import Table from "cli-table3";
import pc from "picocolors";
import type { Evidence, Severity } from "../report.ts";
import {
  type Assessment,
  findingsOf,
  type JudgedFinding,
  type JudgedTarget,
  type Outcome,
  type Standing,
} from "./assessment.ts";
import {
  circumstancesOf,
  count,
  exampleTitle,
  exchangeOf,
  originInWords,
  referencesOf,
  runInWords,
  talliesOf,
  verdictOf,
} from "./in-words.ts";
import { printable } from "./printable.ts";
import { wrap } from "./wrap.ts";

type Colors = ReturnType<typeof pc.createColors>;

/** What {@link prettyOf} needs to know of the terminal. */
export interface PrettyOptions {
  readonly width: number;
  readonly hasColors: boolean;
}

/** The run for people to read: the verdict, what to mend and how it is known, then all checks. */
export function prettyOf(run: Assessment, { width, hasColors }: PrettyOptions): string {
  const page: Page = { width: Math.max(40, width), paint: pc.createColors(hasColors) };
  const lines = [
    ...run.targets.flatMap((target) => [...targetLines(target, page), ""]),
    ...run.notices.flatMap((notice) => wrap(`Note: ${printable(notice)}`, page.width)),
    ...(run.targets.length !== 1 ? [page.paint.bold(runInWords(run))] : []),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}

interface Page {
  readonly width: number;
  readonly paint: Colors;
}

function targetLines(target: JudgedTarget, page: Page): readonly string[] {
  const { paint, width } = page;
  const { report, problems, origins, outcome } = target;
  const told = [
    ...findingsOf(target, "weak"),
    ...findingsOf(target, "unproven"),
    ...findingsOf(target, "minor", "accepted"),
  ];
  const tallies = talliesOf(target);
  return [
    ...wrap(`${outcomeMarks[outcome]}  ${printable(target.target)}`, width).map((line) =>
      paint.bold(outcomePaint(outcome, paint)(line)),
    ),
    ...wrap(verdictOf(target), width).map((line) => outcomePaint(outcome, paint)(line)),
    ...problems.flatMap((problem) => wrap(printable(problem), width)),
    ...(tallies === "" ? [] : [paint.dim(`${tallies}.`)]),
    ...(report === undefined
      ? []
      : wrap(`${printable(circumstancesOf(report))}.`, width).map((line) => paint.dim(line))),
    ...(origins.length === 0
      ? []
      : ["", ...origins.flatMap((judged) => marked(judged.isMet, originInWords(judged), page))]),
    ...told.flatMap((judged) => ["", ...findingLines(judged, page)]),
    ...(target.findings.length === 0 ? [] : ["", tableOf(target, page)]),
  ];
}

function marked(
  isMet: boolean | undefined,
  text: string,
  { paint, width }: Page,
): readonly string[] {
  const mark = isMet === undefined ? paint.magenta("?") : isMet ? paint.green("✔") : paint.red("✖");
  return hanging(mark, 1, printable(text), width);
}

function findingLines({ finding, standing, note }: JudgedFinding, page: Page): readonly string[] {
  const { id, severity, title, reason, evidence, remedy } = finding;
  const { paint, width } = page;
  const word = standing === "weak" ? severity : `${severity}, ${standingWords[standing].slice(2)}`;
  const isLoud = standing === "weak" || standing === "unproven";
  const [first] = remedy.examples.filter(({ isFirmshake }) => isFirmshake);
  const field = (name: string, text: string): readonly string[] =>
    hanging(`  ${paint.dim(name.padEnd(5))}`, 7, printable(text), width);
  return [
    ...hanging(
      severityPaint(severity, paint)("■"),
      1,
      `${id}  ${printable(title)} (${word})`,
      width,
    ),
    ...field("why", reason),
    ...(note === undefined ? [] : field("note", note)),
    ...(isLoud ? evidenceLines(evidence, page) : []),
    ...field("mend", remedy.text),
    ...(first === undefined || !isLoud
      ? []
      : [
          `        ${paint.dim(`${exampleTitle(first)}${others(remedy.examples.length)}:`)}`,
          ...printable(first.code)
            .split("\n")
            .map((line) => `        ${paint.cyan(line)}`.trimEnd()),
        ]),
    ...field("see", referencesOf(finding).join(", ")),
  ];
}

const others = (total: number): string =>
  total < 2 ? "" : `; ${count(total - 1, "more example", "more examples")} in the HTML report`;

/** More is in the other formats; here it would drown what is to be read. */
const shownEvidence = 3;
const shownLines = 12;

/** The first exchange in full, the next ones in a line. */
function evidenceLines(evidence: readonly Evidence[], { paint, width }: Page): readonly string[] {
  const further = (text: string): string => `        ${paint.dim(text)}`;
  const shown = evidence.slice(0, shownEvidence).flatMap((one, index) => {
    const exchange = index === 0 ? exchangeOf(one) : [];
    const left = exchange.length - shownLines;
    return [
      ...hanging(
        `  ${paint.dim("seen ")}`,
        7,
        printable(`${one.probe} → ${one.observation}`),
        width,
      ),
      ...exchange
        .slice(0, shownLines)
        .flatMap((line) => wrap(printable(line), width - 8))
        .map(further),
      ...(left > 0 ? [further(`… ${count(left, "more line", "more lines")}`)] : []),
    ];
  });
  const left = evidence.length - shownEvidence;
  return left > 0 ? [...shown, further(`… ${count(left, "more probe", "more probes")}`)] : shown;
}

function hanging(head: string, headWidth: number, text: string, width: number): readonly string[] {
  const indent = headWidth + 1;
  return wrap(text, width - indent).map((line, index) =>
    `${index === 0 ? head : " ".repeat(headWidth)} ${line}`.trimEnd(),
  );
}

const idWidth = 14;
const severityWidth = 10;
const verdictWidth = 12;

function tableOf(target: JudgedTarget, { paint, width }: Page): string {
  const frame = 5;
  const titleWidth = Math.max(
    16,
    Math.min(width, 120) - idWidth - severityWidth - verdictWidth - frame,
  );
  const table = new Table({
    head: ["check", "what would be weak", "severity", "verdict"].map((name) => paint.dim(name)),
    colWidths: [idWidth, titleWidth, severityWidth, verdictWidth],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });
  for (const { finding, standing } of target.findings) {
    table.push([
      finding.id,
      printable(finding.title),
      finding.severity,
      standingPaint(standing, finding.severity, paint)(standingWords[standing]),
    ]);
  }
  return table.toString();
}

const standingWords: Readonly<Record<Standing, string>> = {
  weak: "✖ weak",
  minor: "· minor",
  accepted: "· accepted",
  unproven: "? unproven",
  passed: "✔ passed",
  inconclusive: "? unclear",
  skipped: "- skipped",
};

type Paint = (text: string) => string;

function standingPaint(standing: Standing, severity: Severity, paint: Colors): Paint {
  switch (standing) {
    case "weak":
      return severityPaint(severity, paint);
    case "passed":
      return paint.green;
    case "unproven":
    case "inconclusive":
      return paint.magenta;
    default:
      return paint.dim;
  }
}

function severityPaint(severity: Severity, paint: Colors): Paint {
  switch (severity) {
    case "critical":
    case "high":
      return paint.red;
    case "medium":
      return paint.yellow;
    case "low":
      return paint.cyan;
    case "info":
      return paint.dim;
  }
}

const outcomeMarks: Readonly<Record<Outcome, string>> = {
  clean: "✔ clean",
  weak: "✖ weak",
  inconclusive: "? not concluded",
};

const outcomePaint = (outcome: Outcome, paint: Colors): Paint =>
  ({ clean: paint.green, weak: paint.red, inconclusive: paint.magenta })[outcome];
