import {
  type AuditOptions,
  type AuditReport,
  audit,
  type CheckId,
  type Finding,
} from "@firmshake/audit";

/** Servers of this machine answer at once: what is silent for that long stays silent. */
const briskLimits = { answerMs: 2_500, quietMs: 80 };

export const auditBriskly = (target: string, options: AuditOptions = {}): Promise<AuditReport> =>
  audit(target, { ...options, limits: { ...briskLimits, ...options.limits } });

/** What one check says of an endpoint. */
export async function findingOf(
  target: string,
  id: CheckId,
  options: AuditOptions = {},
): Promise<Finding> {
  const { findings } = await auditBriskly(target, { ...options, only: [id] });
  const [finding] = findings;
  if (finding === undefined) throw new Error(`${id} is not among the findings.`);
  return finding;
}

/** The failed ones of medium severity and above, in words that show in a failing test. */
export const gravely = ({ findings }: AuditReport): readonly string[] =>
  findings
    .filter(({ verdict, severity }) => verdict === "fail" && !["info", "low"].includes(severity))
    .map(({ id, severity, reason }) => `${id} (${severity}): ${reason}`);
