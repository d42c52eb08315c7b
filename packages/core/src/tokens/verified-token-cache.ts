import type { Identity } from "../handshake/identity.ts";

/** Remembers tokens that were verified, within bounds. */
export interface VerifiedTokenCache {
  readonly find: (token: string, keysVersion: number | undefined) => Identity | undefined;
  readonly remember: (token: string, identity: Identity, keysVersion: number | undefined) => void;
}

interface Remembered {
  readonly identity: Identity;
  readonly keysVersion: number;
  readonly until: number;
  /** Whether it was asked for since it was put, or spared. */
  isUsed: boolean;
}

/**
 * A cache that forgets the oldest token first, but spares those that were used since. None is remembered past its own expiry, past
 * `maxAgeMs`, or past a change of the keys that verified it.
 */
export function verifiedTokenCache(maxTokens: number, maxAgeMs: number): VerifiedTokenCache {
  const remembered = new Map<string, Remembered>();

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
      return entry.identity;
    },
    remember: (token, identity, keysVersion) => {
      if (keysVersion === undefined) return;
      const until = Math.min(identity.expiresAt ?? Number.POSITIVE_INFINITY, Date.now() + maxAgeMs);
      remembered.delete(token);
      makeRoom();
      remembered.set(token, { identity, keysVersion, until, isUsed: false });
    },
  };
}
