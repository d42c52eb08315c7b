import { ConfigError, type Identity } from "@firmshake/core";
import {
  aFunction,
  aPositiveInteger,
  aText,
  issuedAtOf,
  issuerOf,
  readOptions,
  sessionIdOf,
  tokenIdOf,
} from "@firmshake/core/gate";

/** Whose tokens are worth nothing any more: all that is named must fit. Names a subject, a session or a token at least. */
export interface Revocation {
  readonly subject?: string;
  /** Who vouches for the subject: the claim `iss`. Default: whoever does. */
  readonly issuer?: string;
  /** The claim `sid`, or what `identity()` was told as `sessionId`. */
  readonly sessionId?: string;
  /** The claim `jti`. */
  readonly tokenId?: string;
  /**
   * Tokens that were issued later (claim `iat`) are good, in milliseconds since 1970; those without the claim are not. Default: now, for
   * subjects, who may sign in again; for sessions and tokens, all.
   */
  readonly issuedBefore?: number;
  /** When the last of the tokens has expired by itself, in milliseconds since 1970. Default: `forMs` from now. */
  readonly until?: number;
  /** The same from now on. Default: what the list was made with. */
  readonly forMs?: number;
}

/** A list of what was revoked, for one gate or for several. */
export interface Revocations {
  /**
   * Closes the open connections that fit, of all gates that were given this list, and refuses their handshakes from now on, those under way
   * included.
   *
   * @returns how many were closed.
   * @throws {@link ConfigError} for what is no revocation. `RevocationsFull`, once the connections are closed, where there is no room left.
   */
  readonly revoke: (revocation: Revocation) => number;
  readonly isRevoked: (identity: Identity) => boolean;
  /** How many are remembered. */
  readonly size: number;
}

/** What {@link revocations} takes. */
export interface RevocationsOptions {
  /** How long a revocation is remembered that does not say so: as long as your longest token lives. Default 86,400,000, a day. */
  readonly forMs?: number;
  /** How many are remembered at most. Default 100,000. */
  readonly maxEntries?: number;
  /** The time of day, in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** A revocation was not remembered: it would have pushed out another that is still needed. */
export class RevocationsFull extends Error {
  override readonly name: string = "RevocationsFull";
}

/** With everything filled in. */
export interface ReadRevocation {
  readonly subject: string | undefined;
  readonly issuer: string | undefined;
  readonly sessionId: string | undefined;
  readonly tokenId: string | undefined;
  readonly issuedBefore: number;
  readonly until: number;
}

type Listener = (revocation: ReadRevocation) => number;

/** As gates see it. */
export interface RevocationList extends Revocations {
  readonly subscribe: (listener: Listener) => void;
  readonly unsubscribe: (listener: Listener) => void;
}

const lists = new WeakSet<object>();

export const isRevocationList = (value: unknown): value is RevocationList =>
  typeof value === "object" && value !== null && lists.has(value);

/**
 * Makes a list of revocations. Each gate has one of its own, behind `gate.connections.revoke`; make one where several gates are to share it, or
 * where other processes tell of what they have revoked.
 *
 * It is held in this process's memory, within bounds. A revocation is forgotten when the tokens have expired by themselves.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, guard, jwt, origin, revocations } from "@firmshake/node";
 *
 * const revoked = revocations({ forMs: 3_600_000 });
 * const chat = guard(
 *   origin(["https://app.example.com"]),
 *   jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }),
 * );
 * attach(createServer(), { "/chat": chat }, { revocations: revoked });
 * revoked.revoke({ subject: "ada" });
 * ```
 */
export function revocations(options: RevocationsOptions = {}): Revocations {
  const read = readOptions<RevocationsOptions>("revocations", options, {
    forMs: aPositiveInteger,
    maxEntries: aPositiveInteger,
    now: aFunction,
  });
  const { forMs = 86_400_000, maxEntries = 100_000, now = Date.now } = read;
  /** By the most telling of what they name. The oldest come first. */
  const byKey = new Map<string, readonly ReadRevocation[]>();
  const listeners = new Set<Listener>();
  let size = 0;

  function put(key: string, kept: readonly ReadRevocation[]): void {
    size += kept.length - (byKey.get(key)?.length ?? 0);
    if (kept.length === 0) byKey.delete(key);
    else byKey.set(key, kept);
  }

  function prune(key: string, time: number): readonly ReadRevocation[] {
    const all = byKey.get(key) ?? [];
    const kept = all.filter(({ until }) => until > time);
    if (kept.length !== all.length) put(key, kept);
    return kept;
  }

  function remember(revocation: ReadRevocation, time: number): void {
    const key = keyOf(revocation);
    const [same, others] = partition(prune(key, time), (one) => isOfSame(one, revocation));
    const merged = same.reduce(later, revocation);
    if (same.length === 0 && size >= maxEntries) {
      for (const one of byKey.keys()) prune(one, time);
      if (size >= maxEntries) {
        throw new RevocationsFull(
          "revocations: no room for another one. Raise maxEntries, or let them be remembered for a shorter time.",
        );
      }
    }
    // Behind all others.
    put(key, []);
    put(key, [...others, merged]);
    // Two at a time, so that what is over never piles up.
    let looked = 0;
    for (const one of byKey.keys()) {
      prune(one, time);
      if (++looked === 2) break;
    }
  }

  function isRevoked(identity: Identity): boolean {
    if (byKey.size === 0) return false;
    const time = now();
    return keysOf(identity).some((key) =>
      byKey
        .get(key)
        ?.some((revocation) => revocation.until > time && matchesIdentity(revocation, identity)),
    );
  }

  const list: RevocationList = Object.freeze({
    get size() {
      return size;
    },
    isRevoked,
    revoke: (given: Revocation) => {
      const time = now();
      const revocation = readRevocation(given, time, forMs);
      let count = 0;
      // A list that is full must not keep anybody's connection open.
      for (const listener of [...listeners]) count += listener(revocation);
      if (revocation.until > time) remember(revocation, time);
      return count;
    },
    subscribe: (listener: Listener) => void listeners.add(listener),
    unsubscribe: (listener: Listener) => void listeners.delete(listener),
  });
  lists.add(list);
  return list;
}

/** Whether what is revoked is this identity's. */
export function matchesIdentity(
  { subject, issuer, sessionId, tokenId, issuedBefore }: ReadRevocation,
  identity: Identity | undefined,
): boolean {
  if (identity === undefined) return false;
  if (subject !== undefined && subject !== identity.subject) return false;
  if (issuer !== undefined && issuer !== issuerOf(identity)) return false;
  if (sessionId !== undefined && sessionId !== sessionIdOf(identity)) return false;
  if (tokenId !== undefined && tokenId !== tokenIdOf(identity)) return false;
  const issuedAt = issuedAtOf(identity);
  return issuedAt === undefined || issuedAt <= issuedBefore;
}

function readRevocation(given: Revocation, time: number, listForMs: number): ReadRevocation {
  const read = readOptions<Revocation>("revoke", given, {
    subject: aText,
    issuer: aText,
    sessionId: aText,
    tokenId: aText,
    issuedBefore: aTime,
    until: aTime,
    forMs: aPositiveInteger,
  });
  const { subject, issuer, sessionId, tokenId, forMs = listForMs } = read;
  // Undefined that was meant to be somebody must not pass for nobody in particular.
  const isNamed = ["subject", "sessionId", "tokenId"].some((name) => name in read);
  const isHollow = Object.entries(read).some(([, value]) => value === undefined);
  if (!isNamed || isHollow) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `revoke: name whose it is: "subject", "sessionId" or "tokenId"; and leave out what you do not know.`,
    );
  }
  const isOfSubject = sessionId === undefined && tokenId === undefined;
  const { issuedBefore = isOfSubject ? time : Number.MAX_SAFE_INTEGER, until = time + forMs } =
    read;
  return Object.freeze({ subject, issuer, sessionId, tokenId, issuedBefore, until });
}

const aTime = {
  expected: "a time in milliseconds since 1970",
  accepts: (value: unknown): boolean => typeof value === "number" && value >= 0,
};

const keyOf = ({ tokenId, sessionId, subject }: ReadRevocation): string => {
  if (tokenId !== undefined) return `t ${tokenId}`;
  return sessionId === undefined ? `u ${subject}` : `s ${sessionId}`;
};

function keysOf(identity: Identity): readonly string[] {
  const [tokenId, sessionId] = [tokenIdOf(identity), sessionIdOf(identity)];
  return [
    `u ${identity.subject}`,
    ...(sessionId === undefined ? [] : [`s ${sessionId}`]),
    ...(tokenId === undefined ? [] : [`t ${tokenId}`]),
  ];
}

const isOfSame = (one: ReadRevocation, other: ReadRevocation): boolean =>
  one.subject === other.subject &&
  one.issuer === other.issuer &&
  one.sessionId === other.sessionId &&
  one.tokenId === other.tokenId;

const later = (one: ReadRevocation, other: ReadRevocation): ReadRevocation =>
  Object.freeze({
    ...one,
    issuedBefore: Math.max(one.issuedBefore, other.issuedBefore),
    until: Math.max(one.until, other.until),
  });

function partition<One>(
  all: readonly One[],
  isFirst: (one: One) => boolean,
): readonly [readonly One[], readonly One[]] {
  return [all.filter(isFirst), all.filter((one) => !isFirst(one))];
}
