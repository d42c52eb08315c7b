import type { MaybePromise } from "../decision/decision.ts";

/**
 * Where proofs that were used are remembered.
 *
 * `claim` MUST be atomic: of any number of simultaneous calls for one id, one alone is answered `true`, whichever processes they come
 * from. It MUST remember the id for `ttlMs` milliseconds at least, and throw or reject where it cannot, be it for want of room: the
 * handshake is then refused. Ids are 43 letters of base64url.
 */
export interface ReplayStore {
  readonly claim: (id: string, ttlMs: number) => MaybePromise<boolean>;
  /** In words, for `explain()`. */
  readonly summary?: string;
}
