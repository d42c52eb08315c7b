import type { Assessment } from "./assessment.ts";

/** The whole run as JSON; `formatVersion` rises when what is there changes its meaning or goes away. */
export function jsonOf({ outcome, failOn, targets, notices, version }: Assessment): string {
  const judged = targets.map(({ findings, ...target }) => ({
    ...target,
    judgements: findings.map(({ finding, standing, note }) => ({ id: finding.id, standing, note })),
  }));
  return `${JSON.stringify({ formatVersion: 1, version, outcome, failOn, targets: judged, notices }, undefined, 2)}\n`;
}
