import { checkEntries } from "./check-entries.ts";
import { type CheckId, checkIds } from "./check-id.ts";
import { examplesFor } from "./remedies/examples.ts";
import type { References, Remedy, Severity } from "./report.ts";

/** What is known of a check before it has run. */
export interface CheckDescription {
  readonly id: CheckId;
  /** What is weak where the check fails. */
  readonly title: string;
  /** How bad it is in general; a finding's own severity may differ with what the endpoint is. */
  readonly severity: Severity;
  /** Whether it may end a weak server: run with `intrusive` alone. */
  readonly isRisky: boolean;
  readonly remedy: Remedy;
  readonly references: References;
}

/**
 * Every check that {@link audit} knows, in the order of reports.
 *
 * @example
 * ```ts
 * import { checkList } from "@firmshake/audit";
 *
 * for (const { id, severity, title } of checkList) console.log(id, severity, title);
 * ```
 */
export const checkList: readonly CheckDescription[] = checkIds.map((id) => {
  const {
    title,
    severity,
    isRisky = false,
    remedy,
    cwe,
    asvs = [],
    wstg,
    advisories = [],
  } = checkEntries[id];
  return Object.freeze({
    id,
    title,
    severity,
    isRisky,
    remedy: { text: remedy, examples: examplesFor(id) },
    references: { cwe, asvs, wstg: wstg ?? ["WSTG-CLNT-10"], advisories },
  });
});

/** The description of one check. */
export function describe(id: CheckId): CheckDescription {
  const description = checkList[checkIds.indexOf(id)];
  if (description === undefined) throw new RangeError(`There is no check ${id}.`);
  return description;
}
