import { ConfigError } from "../config/config-error.ts";
import {
  aBoolean,
  aFunction,
  anObject,
  aPositiveNumber,
  aText,
  aTextList,
  aWholeNumber,
  either,
  type OptionRule,
  readOptions,
} from "../config/options.ts";
import { allowWith, type Decision, isRefusal, type Refusal, refuse } from "../decision/decision.ts";
import { type Check, defineCheck, ranks } from "../guard/check.ts";
import type { Handshake } from "../handshake/handshake.ts";
import type { Identity } from "../handshake/identity.ts";
import { encodeBase64url, isCanonicalBase64url } from "../parse/base64url.ts";
import { deepFrozen } from "../parse/deep-frozen.ts";
import { parsePeerAddress } from "../parse/ip-address.ts";
import { isOtherSchemeOrigin, parseSerializedOrigin } from "../parse/serialized-origin.ts";
import { memoryTicketStore } from "../stores/memory-ticket-store.ts";
import type { TicketStore } from "../stores/ticket-store.ts";
import { type DpopProofOptions, readProofOptions } from "../tokens/dpop-options.ts";
import { proofVerifier } from "../tokens/dpop-proof.ts";
import { extractToken, invalidTicket } from "../tokens/extract-token.ts";
import { queryToken } from "../tokens/query-token.ts";
import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import { aTokenSourceList, type TokenSource } from "../tokens/token-source.ts";

/** What {@link tickets} takes. */
export interface TicketsOptions {
  /** How long a ticket may wait for its use, in milliseconds, 300,000 at most. Default 30,000. */
  readonly lifetimeMs?: number;
  /** Where tickets wait. Default: this process's memory; with several processes they need one store that all of them reach. */
  readonly store?: TicketStore;
  /** Where to look for the ticket. Default: the parameter `ticket` of the query, then the subprotocols, as `["bearer", ticket]`. */
  readonly from?: readonly TokenSource[];
  /**
   * Binds tickets to the client's address. A client may ask over IPv4 and connect over IPv6, or change networks in between; then it is
   * refused. Default false.
   */
  readonly bindAddress?: boolean;
  /**
   * Binds tickets to a key of the client that asked, which then proves with each handshake that it has the key (RFC 9449): the ticket is sent as
   * `<ticket>~<proof>`, wherever it is sent. A proof is a DPoP proof for the ticket in place of an access token, with the `htm` of every
   * WebSocket, `GET`. `origins` is what clients call this server. Default: who has the ticket may use it.
   */
  readonly dpop?: DpopProofOptions;
  /** A clock in milliseconds since 1970. Default `Date.now`. */
  readonly now?: () => number;
}

/** What a ticket is to be good for. */
export interface TicketWish {
  /** Who will be authenticated by it. */
  readonly subject: string;
  /** What else is known, as far as JSON can say it. Default: nothing. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The paths that it opens, letter by letter, without a query. */
  readonly path: string | readonly string[];
  /** The Origin of the page that asked. Without it the ticket is for clients that send none. */
  readonly origin?: string | undefined;
  /** The address of the client that asked. With `bindAddress` it must be given, without it it is not looked at. */
  readonly address?: string | undefined;
  /** The thumbprint (RFC 7638) of the client's key. With `dpop` it must be given, without it it is not looked at. */
  readonly thumbprint?: string | undefined;
  /** When the session behind it ends, in milliseconds since 1970; the identity ends then, and the ticket no later. */
  readonly expiresAt?: number | undefined;
}

/** A ticket, for its client alone. */
export interface IssuedTicket {
  readonly ticket: string;
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Issues tickets, and is the check that takes them. */
export interface Tickets extends Check<{ readonly identity: Identity }> {
  /**
   * Issues a ticket. Rejects with a {@link ConfigError} for a wish that is not as described, with what the store throws, and where it
   * has no room.
   */
  readonly issue: (wish: TicketWish) => Promise<IssuedTicket>;
  readonly bindAddress: boolean;
  /** Whether tickets are bound to a key. */
  readonly bindKey: boolean;
}

/** What the store keeps of a ticket, as JSON. */
interface TicketRecord extends Omit<TicketWish, "path"> {
  readonly paths: readonly string[];
  /** When the ticket itself ends. */
  readonly endsAt: number;
}

/**
 * Lets in who holds a ticket: 256 random bits that an authenticated HTTP request has asked for, good for one handshake, within seconds, from
 * the same origin, at one path. Adds the fact `identity`, with the scheme `ticket`. The store keeps a SHA-256 of it alone.
 *
 * With `dpop` it lets in who has the key that the ticket was issued for: a ticket alone is worth nothing then.
 *
 * A ticket is spent by the first handshake in which this check runs, whether or not its binding fits and whatever other checks then say: who
 * sees a stolen one refused knows that it is worth nothing any more. One answer (401 `ticket_invalid`) covers unknown, spent, expired and
 * those for elsewhere.
 *
 * @throws {@link ConfigError} for options that are not as described.
 *
 * @example
 * ```ts
 * import { guard, origin, tickets } from "@firmshake/core";
 *
 * const entry = tickets({ lifetimeMs: 30_000 });
 * const chat = guard(origin(["https://app.example.com"]), entry);
 *
 * // Where the user is known, as in a route of your application:
 * const { ticket } = await entry.issue({ subject: "ada", path: "/chat", origin: "https://app.example.com" });
 * // In the browser: new WebSocket(`wss://app.example.com/chat?ticket=${ticket}`)
 * ```
 */
export function tickets(options: TicketsOptions = {}): Tickets {
  const read = readTicketsOptions(options);
  const { lifetimeMs = 30_000, bindAddress = false, now = Date.now } = read;
  const { store = memoryTicketStore({ now }) } = read;
  const { from = [queryToken("ticket"), subprotocolToken("bearer")] } = read;
  const proofs = read.dpop && proofVerifier(readProofOptions("tickets.dpop", read.dpop));
  const bindings = { bindAddress, bindKey: proofs !== undefined };

  async function issue(wish: TicketWish): Promise<IssuedTicket> {
    const { path, expiresAt = Number.POSITIVE_INFINITY, ...rest } = readWish(wish, bindings);
    const ticket = encodeBase64url(crypto.getRandomValues(new Uint8Array(32)));
    const endsAt = Math.min(now() + lifetimeMs, expiresAt);
    const record: TicketRecord = {
      ...rest,
      expiresAt: wish.expiresAt,
      paths: [path].flat(),
      endsAt,
    };
    const { subject } = wish;
    const isKept = await store.put(await keyOf(ticket), {
      subject,
      record: JSON.stringify(record),
      expiresAt: endsAt,
    });
    if (isKept !== true) throw new Error("tickets: the store has no room for another ticket.");
    return Object.freeze({ ticket, expiresAt: endsAt });
  }

  async function spend({ ticket, proof }: Presented, handshake: Handshake): Promise<Answer> {
    const key = await keyOf(ticket);
    let text: string | undefined | null;
    try {
      text = await store.take(key);
    } catch (cause) {
      return refuse("tickets_unavailable", undefined, { cause, headers: [["Retry-After", "5"]] });
    }
    if (typeof text !== "string") return unknownTicket;
    const record = JSON.parse(text) as TicketRecord;
    if (!(now() < record.endsAt)) return expiredTicket;
    if (!record.paths.includes(handshake.path)) return ticketForElsewhere.path;
    if (handshake.headers.joined("origin") !== record.origin) return ticketForElsewhere.origin;
    if (bindAddress && (record.address ?? "none") !== handshake.clientAddress) {
      return ticketForElsewhere.address;
    }
    const { thumbprint } = record;
    if ((thumbprint === undefined) !== (proofs === undefined)) return ticketForElsewhere.key;
    if (proofs !== undefined && thumbprint !== undefined) {
      // Pages cannot know whether their WebSocket goes by HTTP/2, where the method is CONNECT; RFC 6455 §4.1 knows GET alone.
      const expected = { handshake, method: "GET", token: ticket, thumbprint };
      const verified = await proofs.verify(proof, expected);
      if (isRefusal(verified)) return verified;
    }
    return allowWith({ identity: identityOf(record) });
  }

  /** What could not be let in whatever the store says spends no ticket. */
  function unusable({ ticket, proof }: Presented): Refusal | undefined {
    if (!isTicket(ticket) || (proofs === undefined && proof !== undefined)) return noTicket;
    return proof === undefined ? proofs?.invalid("no proof behind the ticket") : undefined;
  }

  // A handshake may be shown to several guards, and to the branches of one.
  const spentBy = new WeakMap<Handshake, Answer | Promise<Answer>>();

  const check = defineCheck<{ readonly identity: Identity }>(
    {
      name: "tickets",
      summary: `for ${lifetimeMs / 1000} s, by origin${bindAddress ? ", address" : ""} and path; from ${from.map(({ name }) => name).join(", ")}; ${store.summary ?? "in a store"}${proofs === undefined ? "" : `; with a proof by ${proofs.summary}`}`,
      rank: ranks.token,
      credential: from.some((source) => source.isAmbient) ? "ambient" : "explicit",
      givesIdentity: true,
      withhold: (handshake) => void extractToken(handshake, from, Number.POSITIVE_INFINITY),
    },
    (handshake) => {
      const before = spentBy.get(handshake);
      if (before !== undefined) return before;
      const text = extractToken(handshake, from, Number.POSITIVE_INFINITY);
      if (typeof text !== "string") return text;
      const presented = presentedIn(text);
      const answer = unusable(presented) ?? spend(presented, handshake);
      spentBy.set(handshake, answer);
      return answer;
    },
  );
  return Object.freeze(Object.assign(check, { issue, ...bindings }));
}

type Answer = Decision<{ readonly identity: Identity }>;

const noTicket = invalidTicket("not a ticket");
const unknownTicket = invalidTicket("unknown or spent");
const expiredTicket = invalidTicket("expired");
const ticketForElsewhere = {
  path: invalidTicket("for another path"),
  origin: invalidTicket("for another origin"),
  address: invalidTicket("for another address"),
  key: invalidTicket("for a check that looks at keys otherwise"),
};

interface Presented {
  readonly ticket: string;
  readonly proof: string | undefined;
}

/** The letter between the two has no place in either, and needs no escape in a query or a subprotocol. */
function presentedIn(text: string): Presented {
  const tilde = text.indexOf("~");
  return tilde === -1
    ? { ticket: text, proof: undefined }
    : { ticket: text.slice(0, tilde), proof: text.slice(tilde + 1) };
}

/** 32 bytes in base64url, as thumbprints are. */
const isTicket = (text: string): boolean => text.length === 43 && isCanonicalBase64url(text);

async function keyOf(ticket: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(ticket));
  return encodeBase64url(new Uint8Array(digest));
}

const identityOf = ({ subject, claims = {}, expiresAt }: TicketRecord): Identity =>
  Object.freeze({ subject, scheme: "ticket", claims: deepFrozen(claims), expiresAt });

function readTicketsOptions(options: TicketsOptions): TicketsOptions {
  return readOptions<TicketsOptions>("tickets", options, {
    lifetimeMs: aWholeNumber(1, 300_000),
    store: { expected: "a store with put() and take() functions", accepts: isStore },
    from: aTokenSourceList,
    bindAddress: aBoolean,
    dpop: anObject,
    now: aFunction,
  });
}

function isStore(value: unknown): boolean {
  const { put, take } = (value ?? {}) as Partial<TicketStore>;
  return typeof put === "function" && typeof take === "function";
}

/** An absolute path without a query, which handshakes are compared with letter by letter. */
const aPath: OptionRule = {
  expected: `a path such as "/chat", or a non-empty list of them`,
  accepts: (value) =>
    either(aText, aTextList).accepts(value) &&
    [value as string | string[]].flat().every((path) => /^\/[^?#*]*$/.test(path)),
};

const anOrigin: OptionRule = {
  expected: `an origin as browsers write it, such as "https://app.example.com"`,
  accepts: (value) =>
    typeof value === "string" &&
    (parseSerializedOrigin(value) !== undefined || isOtherSchemeOrigin(value)),
};

const aThumbprint: OptionRule = {
  expected: "a SHA-256 thumbprint in base64url",
  accepts: (value) => typeof value === "string" && isTicket(value),
};

/** @throws {@link ConfigError} for paths that no handshake could have. */
export const readTicketPath = (owner: string, path: string | readonly string[]): void =>
  void readOptions(owner, { path }, { path: aPath }, ["path"]);

function readWish(
  wish: TicketWish,
  { bindAddress, bindKey }: Pick<Tickets, "bindAddress" | "bindKey">,
): TicketWish {
  const read = readOptions<TicketWish>(
    "issue",
    wish,
    {
      subject: aText,
      claims: anObject,
      path: aPath,
      origin: anOrigin,
      address: aText,
      thumbprint: aThumbprint,
      expiresAt: aPositiveNumber,
    },
    [
      "subject",
      "path",
      ...(bindAddress ? (["address"] as const) : []),
      ...(bindKey ? (["thumbprint"] as const) : []),
    ],
  );
  const thumbprint = bindKey ? read.thumbprint : undefined;
  if (!bindAddress) return { ...read, thumbprint, address: undefined };
  const address = parsePeerAddress(read.address)?.text;
  if (address !== undefined) return { ...read, thumbprint, address };
  throw new ConfigError("ERR_FIRMSHAKE_OPTION_INVALID", `issue: "address" must be an IP address.`);
}
