import type { MaybePromise } from "../decision/decision.ts";

/** A ticket as it is kept. */
export interface StoredTicket {
  /** Whose it is, so that one subject's tickets cannot take the place of all others'. */
  readonly subject: string;
  /** What the ticket stands for, as text; it holds the subject's claims, and never the ticket. */
  readonly record: string;
  /** When it may be forgotten, in milliseconds since 1970. */
  readonly expiresAt: number;
}

/**
 * Where tickets wait for their one use.
 *
 * `take` MUST be atomic: of any number of simultaneous calls for one key, one alone gets the record, whichever processes they come from.
 * With Redis 6.2 or newer `put` is `SET key record PXAT expiresAt`, and `take` is `GETDEL key`. Both MAY answer synchronously. When `take`
 * throws or rejects, the handshake is refused; when `put` does, or answers anything but `true`, no ticket is issued.
 */
export interface TicketStore {
  /** @param key - A SHA-256 of the ticket, in base64url. */
  readonly put: (key: string, ticket: StoredTicket) => MaybePromise<boolean>;
  /** The record, which is gone from then on; undefined or null where there is none. */
  readonly take: (key: string) => MaybePromise<string | undefined | null>;
  /** In words, for `explain()`. */
  readonly summary?: string;
}
