import type { Guard } from "@firmshake/node";

/** The names of a guard's checks in the order in which they run, without what stands inside of them. */
export const checksIn = (guard: Pick<Guard, "explain">): readonly string[] =>
  [...guard.explain().matchAll(/^[├└]─ ([^:\n]+)/gm)]
    .map(([, name = ""]) => name)
    .filter((name) => name !== opening);

/** Stands in each guard before any check. */
const opening = "handshake";
