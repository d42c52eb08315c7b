import { assess } from "./cli/assess.ts";
import { version } from "./cli/version.ts";
import { htmlOf } from "./formats/html/page.ts";
import { verdictOf } from "./formats/in-words.ts";
import type { AuditReport, Severity } from "./report.ts";

/** What {@link htmlReport} may be told. */
export interface HtmlReportOptions {
  /** The least bad severity that counts. Default `low`, as on the command line. */
  readonly failOn?: Severity;
}

/** A report for people. */
export interface HtmlReport {
  /** The whole page: without scripts, and with nothing to fetch. */
  readonly html: string;
  /** Nothing weak, something weak, or not enough to tell: the command's exit codes 0, 1 and 2. */
  readonly outcome: "clean" | "weak" | "inconclusive";
  /** The verdict in a sentence. */
  readonly verdict: string;
}

/**
 * Writes what {@link audit} found out as one self-contained page, as the command does by `--format html`. Whatever the tested server sent
 * stands in it as text.
 *
 * @example
 * ```ts
 * import { writeFileSync } from "node:fs";
 * import { audit, htmlReport } from "@firmshake/audit";
 * import { WebSocketServer } from "ws";
 *
 * const server = new WebSocketServer({ port: 8082, host: "127.0.0.1" });
 * server.once("listening", async () => {
 *   const { port } = server.address() as { port: number };
 *   const report = await audit(`ws://127.0.0.1:${port}/`, { only: ["WS-ORIGIN-1"] });
 *   const { html, verdict } = htmlReport(report);
 *   writeFileSync("audit.html", html);
 *   console.log(verdict);
 *   server.close();
 * });
 * ```
 */
export function htmlReport(
  report: AuditReport,
  { failOn = "low" }: HtmlReportOptions = {},
): HtmlReport {
  const rules = { failOn, expectations: {}, acceptances: [], now: new Date() };
  const result = { target: report.target, report, origins: [] };
  const assessment = assess([result], rules, version());
  const { outcome, targets } = assessment;
  return { html: htmlOf(assessment), outcome, verdict: targets.map(verdictOf).join(" ") };
}
