import type { CheckId } from "../check-id.ts";
import type { RemedyExample } from "../report.ts";

/** The lines of code that mend what a check finds. */
export function examplesFor(_id: CheckId): readonly RemedyExample[] {
  return [];
}
