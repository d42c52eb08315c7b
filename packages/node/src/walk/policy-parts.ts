import { ConfigError, type Guard, type GuardOptions, guard } from "@firmshake/core";
import { aText, type OptionRule, oneOf, readOptions } from "@firmshake/core/gate";

/** A part of a policy that stands in several places: on a whole application, on a scope of it, on a route. */
export interface PolicyPart extends Partial<GuardOptions> {
  /** A whole guard, which must allow as well. */
  readonly guard?: Guard;
}

/**
 * Looks for mistakes, so that they are thrown where they are made. Contradictions between parts come to light in {@link guardsOf}.
 *
 * @param owner - How the function or option is called, for messages.
 * @param more - What a framework's parts have beyond the others.
 * @throws {@link ConfigError} for what is neither a guard nor a part.
 */
export function readPolicyPart<Part extends PolicyPart>(
  owner: string,
  given: Guard | Part,
  more: { readonly [Name in Exclude<keyof Part, keyof PolicyPart>]-?: OptionRule },
): Part {
  const part = isGuard(given) ? { guard: given } : given;
  const read = readOptions<PolicyPart>(owner, part, { ...rules, ...more });
  const { checks, mode, label, order } = read;
  if (checks === undefined && (mode ?? label ?? order) !== undefined) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `${owner}: "mode", "label" and "order" are said of checks, and there are none. Give checks: [...].`,
    );
  }
  return read as Part;
}

/**
 * The guards that all parts come to. Checks decide together, so that what one part says of origins holds for the checks of another; but
 * what only reports does not weaken the others.
 *
 * @throws {@link ConfigError} where parts contradict each other.
 */
export function guardsOf(parts: readonly PolicyPart[]): readonly Guard[] {
  return [
    ...mergedGuard(parts, "enforce"),
    ...mergedGuard(parts, "report"),
    ...parts.flatMap(({ guard: whole }) => whole ?? []),
  ];
}

function mergedGuard(parts: readonly PolicyPart[], mode: "enforce" | "report"): readonly Guard[] {
  const merged = parts.filter((part) => part.checks && (part.mode ?? "enforce") === mode);
  if (merged.length === 0) return [];
  const label = merged.findLast((part) => part.label)?.label;
  const order = merged.findLast((part) => part.order)?.order;
  const checks = merged.flatMap((part) => part.checks ?? []);
  return [guard({ checks, mode, label, order } as GuardOptions)];
}

const isGuard = (given: unknown): given is Guard =>
  typeof (given as Partial<Guard> | null | undefined)?.decide === "function";

const rules = {
  checks: { expected: "a list of checks", accepts: Array.isArray },
  mode: oneOf("enforce", "report"),
  label: aText,
  order: oneOf("cost", "written"),
  guard: { expected: "a guard(...)", accepts: isGuard },
};
