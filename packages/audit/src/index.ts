export { audit } from "./audit.ts";
export { type CheckId, checkIds } from "./check-id.ts";
export { type CheckDescription, checkList } from "./check-list.ts";
export { type HtmlReport, type HtmlReportOptions, htmlReport } from "./html-report.ts";
export type { AuditLimits, AuditOptions } from "./options.ts";
export {
  type AuditEvent,
  type AuditReport,
  type Baseline,
  type Evidence,
  type Finding,
  type OutcomeKind,
  outcomeKinds,
  type References,
  type Remedy,
  type RemedyExample,
  type Severity,
  type Stack,
  type Summary,
  severities,
  type Verdict,
  verdicts,
} from "./report.ts";
