/** Replaces the texts that stand for something else, however deep they are. */
export function filled(value: unknown, meaningOf: (text: string) => unknown): unknown {
  if (typeof value === "string") return meaningOf(value);
  if (Array.isArray(value)) return value.map((one) => filled(one, meaningOf));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, filled(one, meaningOf)]),
  );
}

/** What `@now`, `@now+300` and `@repeat:a:200` stand for; any other text stands for itself. */
export function timeOrRepeat(text: string, nowSeconds: number): unknown {
  const [, difference] = /^@now([+-]\d+)?$/.exec(text) ?? [undefined, null];
  if (difference !== null) return nowSeconds + Number(difference ?? 0);
  const [, sign, count] = /^@repeat:(.):(\d+)$/.exec(text) ?? [];
  return sign === undefined ? text : sign.repeat(Number(count));
}
