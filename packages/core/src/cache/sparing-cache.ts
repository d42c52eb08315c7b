/** Values under texts, within bounds. */
export interface SparingCache<Value> {
  readonly find: (key: string) => Value | undefined;
  readonly put: (key: string, value: Value) => void;
  readonly drop: (key: string) => void;
}

/** Forgets the oldest value first, but spares those that were used since they were put, or spared. */
export function sparingCache<Value>(maxEntries: number): SparingCache<Value> {
  const entries = new Map<string, { readonly value: Value; isUsed: boolean }>();

  function makeRoom(): void {
    for (const [oldest, entry] of entries) {
      if (entries.size < maxEntries) return;
      entries.delete(oldest);
      if (!entry.isUsed) continue;
      // Comes by once more, behind all others, and by then it is unused.
      entry.isUsed = false;
      entries.set(oldest, entry);
    }
  }

  return {
    find: (key) => {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entry.isUsed = true;
      return entry.value;
    },
    put: (key, value) => {
      entries.delete(key);
      makeRoom();
      entries.set(key, { value, isUsed: false });
    },
    drop: (key) => void entries.delete(key),
  };
}
