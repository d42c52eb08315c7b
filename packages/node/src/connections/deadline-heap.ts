/** Something that has a time, and a place in a heap. */
export interface Due {
  dueAt: number;
  /** Where it is in the heap; -1 where it is in none. */
  place: number;
}

/** A binary heap by time. What is in it knows its place, so that it can be moved and taken out without being looked for. */
export class DeadlineHeap<Item extends Due> implements Iterable<Item> {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  get first(): Item | undefined {
    return this.#items[0];
  }

  /** Goes on where items are moved and taken out meanwhile; each is given out once at most. */
  [Symbol.iterator](): Iterator<Item> {
    return this.#items.slice().values();
  }

  add(item: Item): void {
    item.place = this.#items.length;
    this.#items.push(item);
    this.#rise(item);
  }

  remove(item: Item): void {
    const { place } = item;
    if (this.#items[place] !== item) return;
    const last = this.#items.pop() as Item;
    item.place = -1;
    if (last === item) return;
    this.#put(last, place);
    this.moved(last);
  }

  /** The item's time has changed. */
  moved(item: Item): void {
    this.#rise(item);
    this.#sink(item);
  }

  #rise(item: Item): void {
    while (item.place > 0) {
      const above = this.#items[(item.place - 1) >> 1] as Item;
      if (above.dueAt <= item.dueAt) return;
      this.#swap(item, above);
    }
  }

  #sink(item: Item): void {
    for (;;) {
      const left = item.place * 2 + 1;
      const [one, other] = [this.#items[left], this.#items[left + 1]];
      const least = other !== undefined && other.dueAt < (one as Item).dueAt ? other : one;
      if (least === undefined || item.dueAt <= least.dueAt) return;
      this.#swap(item, least);
    }
  }

  #swap(item: Item, other: Item): void {
    const { place } = item;
    this.#put(item, other.place);
    this.#put(other, place);
  }

  #put(item: Item, place: number): void {
    this.#items[place] = item;
    item.place = place;
  }
}
