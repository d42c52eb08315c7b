/** The header lines of a request as they came, repeats visible. Names are matched without regard to case. */
export class HeaderLines {
  readonly #flat: readonly string[];

  /** @param flat - Names and values in turn, as in Node's `rawHeaders`. Not copied: it must not change afterwards. */
  constructor(flat: readonly string[]) {
    this.#flat = flat;
  }

  /** How many lines there are. */
  get count(): number {
    return this.#flat.length >>> 1;
  }

  /** The values of every line of that name, in order. */
  all(name: string): readonly string[] {
    const wanted = name.toLowerCase();
    const values: string[] = [];
    for (let at = this.#find(wanted, 0); at !== -1; at = this.#find(wanted, at + 2)) {
      values.push(this.#valueAt(at));
    }
    return values;
  }

  /** The value, where there is exactly one line of that name. Repeats make it undefined: use {@link HeaderLines.all}. */
  only(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const at = this.#find(wanted, 0);
    return at === -1 || this.#find(wanted, at + 2) !== -1 ? undefined : this.#valueAt(at);
  }

  /** The values joined by `", "` (RFC 9110 §5.3), or undefined where there is no such line. */
  joined(name: string): string | undefined {
    const wanted = name.toLowerCase();
    const at = this.#find(wanted, 0);
    if (at === -1) return undefined;
    return this.#find(wanted, at + 2) === -1 ? this.#valueAt(at) : this.all(name).join(", ");
  }

  has(name: string): boolean {
    return this.#find(name.toLowerCase(), 0) !== -1;
  }

  *[Symbol.iterator](): IterableIterator<readonly [name: string, value: string]> {
    for (let at = 0; at + 1 < this.#flat.length; at += 2) {
      yield [this.#flat[at] as string, this.#valueAt(at)];
    }
  }

  #valueAt(at: number): string {
    return this.#flat[at + 1] as string;
  }

  /** Where the next line of that name is, or -1. A handshake asks for a dozen of names: an index would cost more than it saves. */
  #find(wanted: string, from: number): number {
    for (let at = from; at + 1 < this.#flat.length; at += 2) {
      const name = this.#flat[at] as string;
      if (name.length === wanted.length && name.toLowerCase() === wanted) return at;
    }
    return -1;
  }
}
