/** Reads one value out of a case file, or throws a {@link WordError} that says where and what is wrong. */
export type Reader<Value> = (value: unknown, where: string) => Value;

/** A case that is not in the form that `test/attacks/README.md` describes. */
export class WordError extends Error {
  override readonly name: string = "WordError";
}

export const text: Reader<string> = (value, where) =>
  typeof value === "string" ? value : wrong(where, "a text");

export const flag: Reader<boolean> = (value, where) =>
  typeof value === "boolean" ? value : wrong(where, "true or false");

export const number: Reader<number> = (value, where) =>
  typeof value === "number" ? value : wrong(where, "a number");

export const scalar: Reader<string | number | boolean> = (value, where) =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : wrong(where, "a text, a number, true or false");

/** Whatever JSON can say. */
export const anything: Reader<unknown> = (value) => value;

export const object: Reader<Readonly<Record<string, unknown>>> = (value, where) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : wrong(where, "an object");

export const oneOf =
  <const Words extends readonly string[]>(...words: Words): Reader<Words[number]> =>
  (value, where) =>
    words.includes(value as string) ? (value as Words[number]) : wrong(where, words.join(" or "));

export const optional =
  <Value>(reader: Reader<Value>): Reader<Value | undefined> =>
  (value, where) =>
    value === undefined ? undefined : reader(value, where);

export const list =
  <Value>(reader: Reader<Value>): Reader<readonly Value[]> =>
  (value, where) =>
    Array.isArray(value)
      ? value.map((one, index) => reader(one, `${where}[${index}]`))
      : wrong(where, "a list");

export const pair: Reader<readonly [string, string]> = (value, where) => {
  const [name, content, ...more] = list(text)(value, where);
  return name === undefined || content === undefined || more.length > 0
    ? wrong(where, "a name and a value")
    : [name, content];
};

/** An object of these words and no others: a word that is not understood must never be passed over. */
export const record =
  <Fields extends object>(
    words: { readonly [Name in keyof Fields]: Reader<Fields[Name]> },
  ): Reader<Fields> =>
  (value, where) => {
    const given = object(value, where);
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(words, name)) throw new WordError(`${where}: unknown word "${name}"`);
    }
    const entries = Object.entries<Reader<unknown>>(words);
    return Object.fromEntries(
      entries.map(([name, reader]) => [name, reader(given[name], `${where}.${name}`)]),
    ) as Fields;
  };

function wrong(where: string, expected: string): never {
  throw new WordError(`${where}: expected ${expected}`);
}
