import {
  type CloseCode,
  ConfigError,
  type Handshake,
  type Identity,
  type Refusal,
  refuse,
} from "@firmshake/core";
import {
  aFunction,
  anObject,
  aPositiveInteger,
  aPositiveNumber,
  forwardedOf,
  type OptionRule,
  readOptions,
} from "@firmshake/core/gate";
import { ignore } from "../answer-on-socket.ts";
import { connectionOf } from "../connection.ts";
import { type GuardedSocket, guardedOf } from "../connections/guarded-socket.ts";
import { makeLedger } from "./ledger.ts";
import {
  type CountedParty,
  type Party,
  partyBehind,
  partyIn,
  partyOf,
  type Suspect,
} from "./party.ts";

/** What {@link violations} takes. Each level is off with 0. */
export interface ViolationsOptions {
  /** From how many points on somebody is warned of: `onStanding` is called. Default 10. */
  readonly warnAt?: number;
  /** From how many points on new handshakes are refused with 429. Default 20. */
  readonly throttleAt?: number;
  /** From how many points on what is open is closed with 1008 `too_many_violations`. Default 40. */
  readonly closeAt?: number;
  /** From how many points on what is open is closed, and new handshakes are refused as `banned`, for `banMs`. Default 80. */
  readonly banAt?: number;
  /** How long it takes until half of the points are gone, in milliseconds. Default 60,000. */
  readonly halfLifeMs?: number;
  /** How long a ban lasts, in milliseconds. Default 600,000. */
  readonly banMs?: number;
  /** Points by kind: refusal codes, codes of closes, and kinds of your own. Over the defaults; 0 counts nothing. */
  readonly points?: Readonly<Record<string, number>>;
  /** How many addresses and identities are written down at most. Default 100,000. */
  readonly maxKeys?: number;
  /** Is told when somebody reaches another level. What it throws, or rejects with, is dropped. */
  readonly onStanding?: (event: StandingEvent) => unknown;
  /** A clock in milliseconds that never goes back. Default `performance.now`. */
  readonly now?: () => number;
}

/** Good, then in the order of what follows from it. */
export type Standing = "good" | "warned" | "throttled" | "closed" | "banned";

/** Somebody has reached a level. */
export interface StandingEvent {
  readonly standing: Standing;
  /** What it was for, in the end. */
  readonly kind: string;
  readonly points: number;
  /** Of the client, behind trusted proxies; for IPv6 the prefix that is counted. Undefined where an identity is counted. */
  readonly address: string | undefined;
  readonly subject: string | undefined;
}

/** What somebody did is added up, whichever server and connection it was on. Made by {@link violations}. */
export interface Violations {
  /**
   * Adds points to whoever is behind a request that a gate let in. Their level is the answer; what follows from it, gates do: they refuse new
   * handshakes, and close what is open.
   *
   * @param kind - Of the table of points, or of your own.
   * @throws {@link ConfigError} `ERR_FIRMSHAKE_NOT_GUARDED` where no gate let the request in.
   */
  readonly report: (request: object, kind: string, points?: number) => Standing;
  readonly standingOf: (party: Party) => Standing;
  /** Bans at once, and closes what is open; also for what other processes have found out. Default: for `banMs`. */
  readonly ban: (party: Party, forMs?: number) => void;
  /** Forgets all points, and the ban. */
  readonly pardon: (party: Party) => void;
}

/**
 * Adds up what clients do that is against the rules, in handshakes and in open connections: first the application is told, then new
 * handshakes are refused for a while, then all connections of the client are closed, then it is banned. Points go by half-lives, so that who
 * errs now and then stays where it is.
 *
 * Points are an identity's where one is known, else an address's: what a signed-in user does is not laid to others behind the same address.
 * Foreign origins give none: it is the visitor of a hostile page who would be banned.
 *
 * Give it to each `attach(...)` that is to share it. It lives in this process; `onStanding` and `ban()` carry bans to others.
 *
 * @throws {@link ConfigError} for options that are not as described, and levels that are not in their order.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, guard, origin, violations } from "@firmshake/node";
 * import { WebSocketServer } from "ws";
 *
 * const conduct = violations({ banAt: 80, points: { spam: 10 } });
 * const server = createServer();
 * attach(server, guard(origin(["https://app.example.com"])), { violations: conduct });
 * new WebSocketServer({ server }).on("connection", (socket, request) => {
 *   socket.on("message", (data) => {
 *     if (String(data).includes("casino")) conduct.report(request, "spam");
 *   });
 * });
 * ```
 */
export function violations(options: ViolationsOptions = {}): Violations {
  const { levels, halfLifeMs, banMs, points, maxKeys, onStanding, now } =
    readViolationsOptions(options);
  const ledger = makeLedger(maxKeys, halfLifeMs);
  const listeners = new Set<PartyListener>();
  const levelsBelowBan = levels.filter(({ standing }) => standing !== "banned");
  const throttleAt = levels.find(({ standing }) => standing === "throttled")?.from ?? Infinity;

  function standingAt(key: string, time: number): Standing {
    if (ledger.bannedUntil(key) > time) return "banned";
    const sum = ledger.pointsOf(key, time);
    // A ban that is over leaves points behind, which must not ban again by themselves.
    return levelOf(sum, levelsBelowBan);
  }

  function note(party: CountedParty, kind: string, given = points.get(kind) ?? 0): Standing {
    const time = now();
    const before = standingAt(party.key, time);
    if (given <= 0 || before === "banned") return before;
    const sum = ledger.add(party.key, given, time);
    const standing = levelOf(sum, levels);
    if (standing === "banned") ledger.ban(party.key, time + banMs, time);
    if (standing !== before) {
      const { address, subject } = party;
      tell({ standing, kind, points: Math.round(sum), address, subject });
      if (isOver(standing)) closeAll(party);
    }
    return standing;
  }

  function closeAll({ key }: CountedParty): void {
    for (const close of [...listeners]) {
      close((suspect) => partyBehind(suspect).key === key);
    }
  }

  function tell(event: StandingEvent): void {
    // As in the gate: recording must not decide about connections.
    new Promise((adopt) => adopt(onStanding?.(event))).catch(ignore);
  }

  function refusalOf(key: string): Refusal | undefined {
    const time = now();
    if (ledger.bannedUntil(key) > time) return banned;
    const sum = ledger.pointsOf(key, time);
    if (sum < throttleAt) return undefined;
    const waitMs = halfLifeMs * Math.log2(sum / throttleAt);
    return refuse("rate_limited", undefined, {
      headers: [["Retry-After", String(Math.max(1, Math.ceil(waitMs / 1_000)))]],
      reason: throttled,
    });
  }

  const made = Object.freeze<Violations>({
    report: (request, kind, given) => {
      const guarded = guardedOf(connectionOf(request)) as GuardedSocket;
      const standing = note(partyBehind(guarded), kind, given);
      // All others are, from when that level was reached.
      if (isOver(standing)) guarded.closeFor("too_many_violations");
      return standing;
    },
    standingOf: (party) => standingAt(partyIn(party).key, now()),
    ban: (party, forMs = banMs) => {
      const time = now();
      const counted = partyIn(party);
      ledger.ban(counted.key, time + forMs, time);
      closeAll(counted);
    },
    pardon: (party) => ledger.forget(partyIn(party).key),
  });
  conducts.set(made, {
    refusalFor: (handshake, identity) =>
      ledger.size === 0
        ? undefined
        : refusalOf(partyOf(identity, () => forwardedOf(handshake).address).key),
    noteRefusal: (handshake, { code, reason }) => {
      // Who is kept out already is not kept out for longer by asking.
      if (reason === throttled) return;
      note(
        partyOf(handshake.identity, () => forwardedOf(handshake).address),
        code,
      );
    },
    noteClose: (suspect, code) => void note(partyBehind(suspect), code),
    subscribe: (listener) => void listeners.add(listener),
    unsubscribe: (listener) => void listeners.delete(listener),
  });
  return made;
}

/** What a gate asks of the violations that it was given. */
export interface Conduct {
  /** Why this client may not come in at the moment; without an identity, whoever has its address. */
  readonly refusalFor: (
    handshake: Handshake,
    identity: Identity | undefined,
  ) => Refusal | undefined;
  readonly noteRefusal: (handshake: Handshake, refusal: Refusal) => void;
  /** A connection was closed, for what it did perhaps. */
  readonly noteClose: (suspect: Suspect, code: CloseCode) => void;
  /** The listener is called when all connections of somebody are to be closed. */
  readonly subscribe: (listener: PartyListener) => void;
  readonly unsubscribe: (listener: PartyListener) => void;
}

/** Whether a connection is of whom it is about. */
export type PartyTest = (suspect: Suspect) => boolean;
type PartyListener = (isMeant: PartyTest) => void;

const conducts = new WeakMap<Violations, Conduct>();

/** @throws {@link ConfigError} for what {@link violations} has not made. */
export function conductOf(given: Violations): Conduct {
  const found = conducts.get(given);
  if (found !== undefined) return found;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    `attach: "violations" must be what violations({...}) makes.`,
  );
}

const isOver = (standing: Standing): boolean => standing === "closed" || standing === "banned";

const banned = refuse("banned");
const throttled = "too many violations";

interface Level {
  readonly standing: Standing;
  readonly from: number;
}

const levelOf = (sum: number, levels: readonly Level[]): Standing =>
  levels.find(({ from }) => sum >= from)?.standing ?? "good";

/** Foreign origins and hosts are missing: it is the visitor of a hostile page who sends them. */
const defaultPoints: Readonly<Record<string, number>> = {
  handshake_malformed: 5,
  target_invalid: 5,
  body_not_allowed: 5,
  headers_too_many: 5,
  early_data: 5,
  token_malformed: 5,
  token_ambiguous: 5,
  token_invalid: 2,
  proof_invalid: 2,
  ticket_invalid: 2,
  rate_limited: 1,
  // Closes.
  protocol_error: 10,
  too_many_fragments: 10,
  message_too_big: 5,
  message_rate_exceeded: 5,
  byte_rate_exceeded: 5,
  control_rate_exceeded: 5,
  // What applications report of `@firmshake/messages`.
  text_malformed: 5,
  json_key_forbidden: 5,
  json_too_deep: 5,
  messages_faulty: 5,
  json_malformed: 2,
  json_key_duplicate: 2,
  message_type_unknown: 2,
  message_not_allowed: 2,
  message_invalid: 1,
};

function readViolationsOptions(options: ViolationsOptions) {
  const read = readOptions<ViolationsOptions>("violations", options, {
    warnAt: aNumberFromZero,
    throttleAt: aNumberFromZero,
    closeAt: aNumberFromZero,
    banAt: aNumberFromZero,
    halfLifeMs: aPositiveNumber,
    banMs: aPositiveNumber,
    points: anObject,
    maxKeys: aPositiveInteger,
    onStanding: aFunction,
    now: aFunction,
  });
  const { warnAt = 10, throttleAt = 20, closeAt = 40, banAt = 80 } = read;
  const levels: readonly Level[] = [
    { standing: "banned" as const, from: banAt },
    { standing: "closed" as const, from: closeAt },
    { standing: "throttled" as const, from: throttleAt },
    { standing: "warned" as const, from: warnAt },
  ].filter(({ from }) => from > 0);
  refuseDisorder(levels);
  return {
    levels,
    halfLifeMs: read.halfLifeMs ?? 60_000,
    banMs: read.banMs ?? 600_000,
    points: readPoints(read.points),
    maxKeys: read.maxKeys ?? 100_000,
    onStanding: read.onStanding,
    now: read.now ?? (() => performance.now()),
  };
}

const aNumberFromZero: OptionRule = {
  expected: "a number, 0 or more",
  accepts: (value) => typeof value === "number" && Number.isFinite(value) && value >= 0,
};

function refuseDisorder(levels: readonly Level[]): void {
  const isDisordered = levels.some(({ from }, index) => from < (levels[index + 1]?.from ?? 0));
  if (!isDisordered) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
    "violations: the levels must rise in the order warnAt, throttleAt, closeAt, banAt; leave one out with 0.",
  );
}

function readPoints(given: Readonly<Record<string, number>> = {}): ReadonlyMap<string, number> {
  for (const [kind, points] of Object.entries(given)) {
    if (aNumberFromZero.accepts(points)) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `violations: "points.${kind.slice(0, 40)}" must be ${aNumberFromZero.expected}.`,
    );
  }
  return new Map(Object.entries({ ...defaultPoints, ...given }));
}
