import { type CheckId, checkIds } from "../check-id.ts";

/** The ids of a family, written `WS-ORIGIN-*`; `*` is all of them. */
export const families: readonly string[] = [
  "*",
  ...new Set(checkIds.map((id) => id.replace(/\d+$/, "*"))),
];

/** The checks that a name stands for: none where there is no such check. */
export function checksNamed(name: string): readonly CheckId[] {
  if (!name.endsWith("*")) return checkIds.filter((id) => id === name);
  return families.includes(name) ? checkIds.filter((id) => id.startsWith(name.slice(0, -1))) : [];
}

/** Whether a name stands for the check. */
export const isNamedBy = (id: CheckId, names: readonly string[]): boolean =>
  names.some((name) => checksNamed(name).includes(id));
