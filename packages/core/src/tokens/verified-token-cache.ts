import { sparingCache } from "../cache/sparing-cache.ts";

/** Remembers what became of tokens, within bounds. */
export interface VerifiedTokenCache<Outcome> {
  readonly find: (token: string, keysVersion: number | undefined) => Outcome | undefined;
  readonly remember: (token: string, outcome: Outcome, keysVersion: number | undefined) => void;
}

interface Remembered<Outcome> {
  readonly outcome: Outcome;
  readonly keysVersion: number;
  readonly until: number;
}

/** Nothing is remembered past its own expiry, past `maxAgeMs`, or past a change of the keys that verified it. */
export function verifiedTokenCache<Outcome extends { readonly expiresAt: number | undefined }>(
  maxTokens: number,
  maxAgeMs: number,
): VerifiedTokenCache<Outcome> {
  const remembered = sparingCache<Remembered<Outcome>>(maxTokens);
  return {
    find: (token, keysVersion) => {
      const entry = remembered.find(token);
      if (entry === undefined) return undefined;
      if (entry.until <= Date.now() || entry.keysVersion !== keysVersion) {
        remembered.drop(token);
        return undefined;
      }
      return entry.outcome;
    },
    remember: (token, outcome, keysVersion) => {
      if (keysVersion === undefined) return;
      const until = Math.min(outcome.expiresAt ?? Number.POSITIVE_INFINITY, Date.now() + maxAgeMs);
      remembered.put(token, { outcome, keysVersion, until });
    },
  };
}
