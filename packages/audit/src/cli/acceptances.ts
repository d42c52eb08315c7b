import * as v from "valibot";
import { type CheckId, checkIds } from "../check-id.ts";
import { readJson } from "./read-json.ts";

/** A finding that somebody has accepted, for a reason and for a while. */
export interface Acceptance {
  readonly id: CheckId;
  readonly target?: string;
  readonly reason: string;
  readonly until: string;
}

const lastDay = 'write the last day as "2027-01-31".';

const isOnCalendar = (date: string): boolean => {
  const time = Date.parse(`${date}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
};

export const acceptancesSchema: v.GenericSchema<unknown, readonly Acceptance[]> = v.array(
  v.strictObject({
    id: v.pipe(
      v.picklist(checkIds, `there is no such check. Write an id such as "WS-ORIGIN-1".`),
      v.description("The check whose failure is accepted."),
    ),
    target: v.exactOptional(
      v.pipe(v.string(), v.description("The URL, without its query. Default: every target.")),
    ),
    reason: v.pipe(
      v.string(),
      v.regex(/\S/, "say why it is accepted."),
      v.description("Why it is accepted. It stands in every report."),
    ),
    until: v.pipe(
      v.string(),
      v.isoDate(lastDay),
      v.check(isOnCalendar, lastDay),
      v.description("The last day, in UTC, on which it is accepted."),
    ),
  }),
);

export const readAcceptances = (path: string): readonly Acceptance[] =>
  readJson("--baseline", path, acceptancesSchema);

/** Whether it speaks of this check at this target. */
export function isAbout({ id, target }: Acceptance, check: CheckId, at: string): boolean {
  return id === check && (target === undefined || placeOf(target) === placeOf(at));
}

/** Accepted until its last day is over, in UTC. */
export const hasExpired = ({ until }: Acceptance, now: Date): boolean =>
  now.getTime() >= Date.parse(`${until}T00:00:00Z`) + 24 * 60 * 60 * 1_000;

/** The URL without its query, in one spelling. */
function placeOf(target: string): string {
  const [place = ""] = target.split("?");
  return URL.canParse(place) ? new URL(place).href : place;
}
