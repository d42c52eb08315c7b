import { sparingCache } from "../cache/sparing-cache.ts";
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

/** No token is remembered past its own expiry, past `maxAgeMs`, or past a change of the keys that verified it. */
export function verifiedTokenCache(maxTokens: number, maxAgeMs: number): VerifiedTokenCache {
  const remembered = sparingCache<Remembered>(maxTokens);
  return {
    find: (token, keysVersion) => {
      const entry = remembered.find(token);
      if (entry === undefined) return undefined;
      if (entry.until <= Date.now() || entry.keysVersion !== keysVersion) {
        remembered.drop(token);
        return undefined;
      }
      return entry.identity;
    },
    remember: (token, identity, keysVersion) => {
      if (keysVersion === undefined) return;
      const until = Math.min(identity.expiresAt ?? Number.POSITIVE_INFINITY, Date.now() + maxAgeMs);
      remembered.put(token, { identity, keysVersion, until });
    },
  };
}
