import { aFunction, aPositiveInteger, readOptions } from "../config/options.ts";
import type { StoredTicket, TicketStore } from "./ticket-store.ts";

/** What {@link memoryTicketStore} takes. */
export interface MemoryTicketStoreOptions {
  /** How many tickets may wait at most. Default 100,000. */
  readonly maxTickets?: number;
  /** How many of them may be one subject's. Default 20. */
  readonly maxTicketsPerSubject?: number;
  /** How many bytes they may take at most, as estimated. Default 64 MiB. */
  readonly maxBytes?: number;
  /** A clock in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** Two entries of maps, one of a set, the key and the objects, as measured on V8. */
const entryBytes = 450;

/**
 * Keeps tickets in this process's memory, within bounds.
 *
 * Of a subject with too many the oldest is dropped: it was its own. Where all places are taken by tickets that still hold, none is issued, so
 * that nobody is pushed out by others.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { memoryTicketStore, tickets } from "@firmshake/core";
 *
 * const entry = tickets({ store: memoryTicketStore({ maxTickets: 10_000 }) });
 * ```
 */
export function memoryTicketStore(options: MemoryTicketStoreOptions = {}): TicketStore {
  const {
    maxTickets = 100_000,
    maxTicketsPerSubject = 20,
    maxBytes = 64 * 1024 * 1024,
    now = Date.now,
  } = readOptions<MemoryTicketStoreOptions>("memoryTicketStore", options, {
    maxTickets: aPositiveInteger,
    maxTicketsPerSubject: aPositiveInteger,
    maxBytes: aPositiveInteger,
    now: aFunction,
  });
  // Both in the order in which tickets were issued.
  const waiting = new Map<string, StoredTicket>();
  const keysOf = new Map<string, Set<string>>();
  let bytes = 0;

  function take(key: string): string | undefined {
    const ticket = waiting.get(key);
    if (ticket === undefined) return undefined;
    waiting.delete(key);
    bytes -= sizeOf(ticket);
    const own = keysOf.get(ticket.subject);
    own?.delete(key);
    if (own?.size === 0) keysOf.delete(ticket.subject);
    return ticket.record;
  }

  /** Those of one lifetime end in the order in which they were issued, so that the first tells of all. */
  function sweep(): void {
    const time = now();
    for (const [key, { expiresAt }] of waiting) {
      if (time < expiresAt) return;
      take(key);
    }
  }

  function put(key: string, ticket: StoredTicket): boolean {
    sweep();
    const own = keysOf.get(ticket.subject) ?? new Set();
    const [oldest] = own;
    if (oldest !== undefined && own.size >= maxTicketsPerSubject) take(oldest);
    if (waiting.size >= maxTickets || bytes + sizeOf(ticket) > maxBytes) return false;
    waiting.set(key, ticket);
    bytes += sizeOf(ticket);
    keysOf.set(ticket.subject, own.add(key));
    return true;
  }

  return { put, take, summary: `in memory, at most ${maxTickets}` };
}

const sizeOf = ({ record, subject }: StoredTicket): number =>
  entryBytes + (record.length + subject.length) * 2;
