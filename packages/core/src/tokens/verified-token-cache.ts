/** Remembers what became of tokens, within bounds. */
export interface VerifiedTokenCache<Outcome> {
  readonly find: (token: string, keysVersion: number | undefined) => Outcome | undefined;
  readonly remember: (token: string, outcome: Outcome, keysVersion: number | undefined) => void;
}

interface Remembered<Outcome> {
  readonly outcome: Outcome;
  readonly keysVersion: number;
  readonly until: number;
  /** Whether it was asked for since it was put, or spared. */
  isUsed: boolean;
}

/**
 * A cache that forgets the oldest token first, but spares those that were used since. None is remembered past its own expiry, past
 * `maxAgeMs`, or past a change of the keys that verified it.
 */
export function verifiedTokenCache<Outcome extends { readonly expiresAt: number | undefined }>(
  maxTokens: number,
  maxAgeMs: number,
): VerifiedTokenCache<Outcome> {
  const remembered = new Map<string, Remembered<Outcome>>();

  function makeRoom(): void {
    for (const [oldest, entry] of remembered) {
      if (remembered.size < maxTokens) return;
      remembered.delete(oldest);
      if (!entry.isUsed) continue;
      // Comes by once more, behind all others, and by then it is unused.
      entry.isUsed = false;
      remembered.set(oldest, entry);
    }
  }

  return {
    find: (token, keysVersion) => {
      const entry = remembered.get(token);
      if (entry === undefined) return undefined;
      if (entry.until <= Date.now() || entry.keysVersion !== keysVersion) {
        remembered.delete(token);
        return undefined;
      }
      entry.isUsed = true;
      return entry.outcome;
    },
    remember: (token, outcome, keysVersion) => {
      if (keysVersion === undefined) return;
      const until = Math.min(outcome.expiresAt ?? Number.POSITIVE_INFINITY, Date.now() + maxAgeMs);
      remembered.delete(token);
      makeRoom();
      remembered.set(token, { outcome, keysVersion, until, isUsed: false });
    },
  };
}
