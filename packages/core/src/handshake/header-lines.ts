/** The header lines of a request as they came, repeats visible. Names are matched without regard to case. */
export class HeaderLines {
  readonly #flat: readonly string[];
  #index: Map<string, string | string[]> | undefined;

  /** @param flat - Names and values in turn, as in Node's `rawHeaders`. */
  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  /** How many lines there are. */
  get count(): number {
    return this.#flat.length >>> 1;
  }

  /** The values of every line of that name, in order. */
  all(name: string): readonly string[] {
    const found = this.#indexed().get(name.toLowerCase());
    return found === undefined ? [] : typeof found === "string" ? [found] : found;
  }

  /** The value, where there is exactly one line of that name. Repeats make it undefined: use {@link HeaderLines.all}. */
  only(name: string): string | undefined {
    const found = this.#indexed().get(name.toLowerCase());
    return typeof found === "string" ? found : undefined;
  }

  /** The values joined by `", "` (RFC 9110 §5.3), or undefined where there is no such line. */
  joined(name: string): string | undefined {
    const found = this.#indexed().get(name.toLowerCase());
    return typeof found === "object" ? found.join(", ") : found;
  }

  has(name: string): boolean {
    return this.#indexed().has(name.toLowerCase());
  }

  *[Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    for (let at = 0; at + 1 < this.#flat.length; at += 2) {
      yield [this.#flat[at] ?? "", this.#flat[at + 1] ?? ""];
    }
  }

  #indexed(): Map<string, string | string[]> {
    if (this.#index !== undefined) return this.#index;
    const index = new Map<string, string | string[]>();
    for (let at = 0; at + 1 < this.#flat.length; at += 2) {
      const name = (this.#flat[at] ?? "").toLowerCase();
      const value = this.#flat[at + 1] ?? "";
      const before = index.get(name);
      if (before === undefined) index.set(name, value);
      else if (typeof before === "string") index.set(name, [before, value]);
      else before.push(value);
    }
    this.#index = index;
    return index;
  }
}
