/** How often somebody broke the rules lately, and whether they are kept out for it. */
export interface Entry {
  /** At the time of `at`; it halves with each half-life. */
  points: number;
  at: number;
  /** On the ledger's clock; 0 for nobody's. */
  bannedUntil: number;
}

/** What is written down, by keys. Times are on one clock, in milliseconds. */
export interface Ledger {
  readonly size: number;
  readonly pointsOf: (key: string, now: number) => number;
  /** @returns the points that it makes; without a place for one more key, those that are given. */
  readonly add: (key: string, points: number, now: number) => number;
  readonly bannedUntil: (key: string) => number;
  readonly ban: (key: string, until: number, now: number) => void;
  readonly forget: (key: string) => void;
}

/** Less than this is as good as nothing. */
const leastPoints = 0.5;

/**
 * Keeps points within bounds. Of too many keys those go first that were touched longest ago; who is banned stays until that is over, so
 * that nobody gets rid of a ban by flooding the ledger. Where nothing but bans is left, nothing more is written down.
 */
export function makeLedger(maxKeys: number, halfLifeMs: number): Ledger {
  // Both in the order of the last touch.
  const free = new Map<string, Entry>();
  const banned = new Map<string, Entry>();

  const entryOf = (key: string): Entry | undefined => banned.get(key) ?? free.get(key);

  const decayed = ({ points, at }: Entry, now: number): number =>
    points * 2 ** (-Math.max(0, now - at) / halfLifeMs);

  function forget(key: string): void {
    free.delete(key);
    banned.delete(key);
  }

  function write(key: string, entry: Entry, now: number): boolean {
    forget(key);
    sweep(now);
    if (free.size + banned.size >= maxKeys && !forgetFirst()) return false;
    (entry.bannedUntil > now ? banned : free).set(key, entry);
    return true;
  }

  function forgetFirst(): boolean {
    for (const key of free.keys()) return free.delete(key);
    return false;
  }

  /** A few at a time, so that what is over never piles up. */
  function sweep(now: number): void {
    let left = 2;
    for (const [key, entry] of free) {
      if (left-- === 0 || decayed(entry, now) >= leastPoints) break;
      free.delete(key);
    }
    left = 2;
    for (const [key, entry] of banned) {
      if (left-- === 0 || entry.bannedUntil > now) break;
      banned.delete(key);
      if (decayed(entry, now) >= leastPoints) free.set(key, entry);
    }
  }

  return {
    get size() {
      return free.size + banned.size;
    },
    pointsOf: (key, now) => {
      const entry = entryOf(key);
      return entry === undefined ? 0 : decayed(entry, now);
    },
    add: (key, points, now) => {
      const before = entryOf(key);
      const sum = points + (before === undefined ? 0 : decayed(before, now));
      write(key, { points: sum, at: now, bannedUntil: before?.bannedUntil ?? 0 }, now);
      return sum;
    },
    bannedUntil: (key) => banned.get(key)?.bannedUntil ?? 0,
    ban: (key, until, now) => {
      const before = entryOf(key);
      const points = before === undefined ? 0 : decayed(before, now);
      write(key, { points, at: now, bannedUntil: until }, now);
    },
    forget,
  };
}
