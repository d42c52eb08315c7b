import type { Run } from "../../run.ts";

/** Why a check that has to wait is skipped; undefined where it may. */
export const needsTime = ({ options }: Run): string | undefined =>
  (options.waitMs ?? 0) > 0 ? undefined : "It has to wait: give it time with the option waitMs.";

export const waitMsOf = ({ options }: Run): number => options.waitMs ?? 0;

export const secondsOf = (milliseconds: number): string =>
  `${Math.round(milliseconds / 100) / 10} s`;
