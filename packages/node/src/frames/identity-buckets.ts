import type { FrameRate, Identity } from "@firmshake/core";
import { accountKey, issuerOf } from "@firmshake/core/gate";

/** What one identity has sent over all its connections: how full each bucket is, in units of its window. */
export interface IdentityBucket {
  messages: number;
  bytes: number;
  /** When it was last drained. */
  countedAt: number;
  /** How many are open. */
  connections: number;
}

/** The buckets of all identities that are held to the same. */
export interface IdentityBuckets {
  readonly messages: FrameRate | undefined;
  readonly bytes: FrameRate | undefined;
  /** The one of an identity, for one more connection. Whoever has it counts that connection out again. */
  readonly enter: (identity: Identity, now: number) => IdentityBucket;
}

const smallSize = 1_024;

/** Undefined where neither is counted. */
export function identityBuckets(
  messages: FrameRate | undefined,
  bytes: FrameRate | undefined,
): IdentityBuckets | undefined {
  if (messages === undefined && bytes === undefined) return undefined;
  const buckets = new Map<string, IdentityBucket>();
  const emptyAfterMs = Math.max(messages?.windowMs ?? 0, bytes?.windowMs ?? 0);
  let sweepAt = smallSize;
  return {
    messages,
    bytes,
    enter: (identity, now) => {
      const key = accountKey(identity.subject, issuerOf(identity));
      let bucket = buckets.get(key);
      if (bucket === undefined) {
        if (buckets.size >= sweepAt) sweep(now);
        bucket = { messages: 0, bytes: 0, countedAt: now, connections: 0 };
        buckets.set(key, bucket);
      }
      bucket.connections++;
      return bucket;
    },
  };

  /** Who leaves and comes again finds what is not drained yet. */
  function sweep(now: number): void {
    for (const [key, { connections, countedAt }] of buckets) {
      if (connections === 0 && countedAt + emptyAfterMs <= now) buckets.delete(key);
    }
    sweepAt = Math.max(smallSize, 2 * buckets.size);
  }
}
