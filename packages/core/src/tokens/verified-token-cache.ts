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
}

/**
 * A cache that forgets the least recently used token first. None is remembered past its own expiry, past `maxAgeMs`, or past a change of
 * the keys that verified it.
 */
export function verifiedTokenCache(maxTokens: number, maxAgeMs: number): VerifiedTokenCache {
  const remembered = new Map<string, Remembered>();
  return {
    find: (token, keysVersion) => {
      const entry = remembered.get(token);
      if (entry === undefined) return undefined;
      remembered.delete(token);
      if (entry.until <= Date.now() || entry.keysVersion !== keysVersion) return undefined;
      remembered.set(token, entry);
      return entry.identity;
    },
    remember: (token, identity, keysVersion) => {
      if (keysVersion === undefined) return;
      const until = Math.min(identity.expiresAt ?? Number.POSITIVE_INFINITY, Date.now() + maxAgeMs);
      remembered.delete(token);
      remembered.set(token, { identity, keysVersion, until });
      for (const oldest of remembered.keys()) {
        if (remembered.size <= maxTokens) return;
        remembered.delete(oldest);
      }
    },
  };
}
