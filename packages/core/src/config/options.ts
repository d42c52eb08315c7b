import { ConfigError } from "./config-error.ts";

/** What one option must be. */
export interface OptionRule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

/**
 * Reads an options object by a table: unknown names and wrong values throw, absent options stay absent. Answers with a copy.
 *
 * @param owner - How the caller is written in source, such as `rateLimit`; it begins each message.
 */
export function readOptions<Options extends object>(
  owner: string,
  options: unknown,
  rules: { readonly [Name in keyof Required<Options>]: OptionRule },
  required: readonly (keyof Options & string)[] = [],
): Options {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `${owner}: expected an options object, got ${kindOf(options)}.`,
    );
  }
  // Without a prototype: what something else put on Object.prototype is no option of ours, least of all an insecure… one.
  const read = Object.assign(Object.create(null) as object, options);
  const table = rules as Readonly<Record<string, OptionRule>>;
  for (const [name, value] of Object.entries(read)) {
    const rule = Object.hasOwn(table, name) ? table[name] : undefined;
    if (rule === undefined) throw unknownOption(owner, name, Object.keys(table));
    if (value !== undefined && !rule.accepts(value)) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_OPTION_INVALID",
        `${owner}: "${name}" must be ${rule.expected}, got ${kindOf(value)}.`,
      );
    }
  }
  for (const name of required) {
    if ((read as Options)[name] === undefined) {
      throw new ConfigError(
        "ERR_FIRMSHAKE_OPTION_MISSING",
        `${owner}: "${name}" is required; give ${table[name]?.expected}.`,
      );
    }
  }
  return read as Options;
}

const rule = (expected: string, accepts: (value: unknown) => boolean): OptionRule => ({
  expected,
  accepts,
});

const isNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value);
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

export const aBoolean: OptionRule = rule("true or false", (value) => typeof value === "boolean");
export const aText: OptionRule = rule("a non-empty string", isText);
export const aFunction: OptionRule = rule("a function", (value) => typeof value === "function");
export const anObject: OptionRule = rule(
  "an object",
  (value) => typeof value === "object" && value !== null,
);
export const anything: OptionRule = rule("a value", () => true);
export const aPositiveNumber: OptionRule = rule(
  "a number above 0",
  (value) => isNumber(value) && value > 0,
);
export const aPositiveInteger: OptionRule = rule(
  "a whole number above 0",
  (value) => Number.isSafeInteger(value) && (value as number) > 0,
);
export const aCount: OptionRule = rule(
  "a whole number, 0 or more",
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
);
export const aTextList: OptionRule = rule(
  "a non-empty list of strings",
  (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
);
export const aList: OptionRule = rule(
  "a non-empty list",
  (value) => Array.isArray(value) && value.length > 0,
);
export const oneOf = (...words: readonly string[]): OptionRule =>
  rule(words.map((word) => `"${word}"`).join(" or "), (value) => words.includes(value as string));
export const aWholeNumber = (least: number, most: number): OptionRule =>
  rule(
    `a whole number from ${least} to ${most}`,
    (value) =>
      Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  );
/** Timers that are set further ahead than 31 bits fire at once. */
export const aTimeoutMs: OptionRule = aWholeNumber(1, 2 ** 31 - 1);
export const either = (...rules: readonly OptionRule[]): OptionRule =>
  rule(rules.map((one) => one.expected).join(", or "), (value) =>
    rules.some((one) => one.accepts(value)),
  );

/** Names what a value is without showing it: an option may hold a secret. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : "an array";
  if (value === "") return "an empty string";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "undefined" ? "undefined" : `a value of type ${typeof value}`;
}

function unknownOption(owner: string, name: string, known: readonly string[]): ConfigError {
  const nearest = nearestName(name, known);
  const advice =
    nearest === undefined ? `It takes ${known.join(", ")}.` : `Did you mean "${nearest}"?`;
  return new ConfigError(
    "ERR_FIRMSHAKE_OPTION_UNKNOWN",
    `${owner}: there is no option "${name}". ${advice}`,
  );
}

/** The known name that is fewest edits away, when that is near enough to be a slip of the hand. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution =
        (previous[column - 1] as number) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(
        Math.min(
          (previous[column] as number) + 1,
          (current[column - 1] as number) + 1,
          substitution,
        ),
      );
    }
    previous = current;
  }
  return previous[to.length] as number;
}
