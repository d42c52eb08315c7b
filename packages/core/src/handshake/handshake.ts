import type { Refusal } from "../decision/decision.ts";
import { trimBlanks } from "../parse/http-token.ts";
import { type IpAddress, parsePeerAddress } from "../parse/ip-address.ts";
import type { ConnectionTerm } from "./connection-terms.ts";
import { HeaderLines } from "./header-lines.ts";
import type { Identity } from "./identity.ts";
import type { ForwardedClient, ProxyTrust } from "./proxy-trust.ts";
import type { TrailEntry } from "./trail.ts";

/** What is known of the TLS connection under the handshake. */
export interface TlsFacts {
  /** As Node and OpenSSL name it, such as `TLSv1.3`; undefined where the runtime does not tell. */
  readonly protocol: string | undefined;
  /** The name that the client asked for (RFC 6066 §3). */
  readonly serverName: string | undefined;
  /** Whether the client proved a certificate that the server's own authorities vouch for. */
  readonly isClientAuthorized: boolean;
}

/**
 * How a client connects: by a WebSocket, or by the HTTP requests that libraries such as Socket.IO fall back to, each of which is a
 * handshake of its own.
 */
export type Transport = "websocket" | "polling";

/**
 * The opening request of a WebSocket (RFC 6455 §4), or a request of what stands in for one, as a frozen view. What costs something to find out is found out when it is first
 * asked for.
 */
export interface Handshake {
  readonly transport: Transport;
  /** In capitals, as sent: `GET`, and `CONNECT` over HTTP/2 (RFC 8441 §4). */
  readonly method: string;
  /** Such as `1.1` and `2.0`; undefined where the runtime does not tell. */
  readonly httpVersion: string | undefined;
  /** The request target as sent: path and query. */
  readonly target: string;
  /** The target up to the question mark, not decoded. */
  readonly path: string;
  /** What follows the question mark, not decoded; empty where there is none. */
  readonly query: string;
  readonly headers: HeaderLines;
  /**
   * Whether a polling request goes on with a session, by its own word: one `sid` in plain letters. Whether there is such a session is for
   * the library to say. False of everything that could open one.
   */
  readonly isContinued: boolean;
  /** The subprotocols that the client offered, in its order of preference (RFC 6455 §1.9). */
  readonly protocols: readonly string[];
  /** The address at the other end of the socket, in canonical text. */
  readonly peerAddress: string | undefined;
  /** The client's address after trusted proxies were believed; undefined where it cannot be told. */
  readonly clientAddress: string | undefined;
  /** `wss` where the client's own connection is TLS, after trusted proxies were believed. */
  readonly scheme: "ws" | "wss";
  /** TLS on the socket itself; undefined where it is plain. */
  readonly tls: TlsFacts | undefined;
  /** Aborts when the client leaves or the time to decide is over. Pass it to whatever a check waits for. */
  readonly signal: AbortSignal;
  /** Who was authenticated by the checks that ran so far. */
  readonly identity: Identity | undefined;
  /** Everything that the checks so far have added. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** What a runtime knows of a request. Functions are called at most once, and only when needed. */
export interface HandshakeSource {
  /** Default `websocket`. */
  readonly transport?: Transport;
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string | undefined;
  /** Names and values in turn; must not change afterwards. */
  readonly headerLines: readonly string[];
  /** Requests with as many header lines are refused: the runtime may have dropped some. */
  readonly maxHeaderLines: number;
  /** Whether the runtime keeps the `Connection` header from the request; where it does not, it is not looked at. */
  readonly showsConnectionHeader: boolean;
  /**
   * The pseudo-header fields of an extended CONNECT (RFC 8441 §4) as they came, names and values in turn. They alone make it one: the
   * version of HTTP/1 requests is what the client writes there.
   */
  readonly pseudoHeaders?: readonly string[];
  /** The runtime's own request, for checks that are made for that runtime. */
  readonly request?: object;
  readonly peerAddress: () => string | undefined;
  readonly tls: () => TlsFacts | undefined;
  readonly signal: () => AbortSignal;
}

/** What has to be changed in the request before a WebSocket library may see it. */
export interface Rewrite {
  /** The subprotocols left to choose from, where some were withheld. */
  readonly protocols: readonly string[] | undefined;
  /** The request target, where a secret was taken out of it. */
  readonly target: string | undefined;
}

/** What changes while the checks run. Reached only through the functions below. */
interface Progress {
  facts: Readonly<Record<string, unknown>>;
  /** What a check agreed on of the offered subprotocols: one or none of them. Taken back with the facts of a refused branch. */
  agreed: readonly string[] | undefined;
  /** Offered subprotocols that hold a secret. Never taken back. */
  withheld: ReadonlySet<string>;
  target: string | undefined;
  /** What checks ask of the connection that may come of this. Taken back with the facts of a refused branch. */
  terms: readonly ConnectionTerm[];
  /** Whether the last `any` refused somebody whom the way of its refusal had authenticated, though the fact is taken back. */
  refusedKnown: boolean;
  readonly trail: TrailEntry[];
  depth: number;
  openingRefusal: Refusal | null | undefined;
}

const noFacts = Object.freeze({});
const noProtocols: readonly string[] = Object.freeze([]);
const noneWithheld: ReadonlySet<string> = new Set();
const noTerms: readonly ConnectionTerm[] = Object.freeze([]);

class OpeningHandshake implements Handshake {
  readonly transport: Transport;
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string | undefined;
  readonly headers: HeaderLines;
  readonly #source: HandshakeSource;
  readonly #trust: ProxyTrust | undefined;
  readonly #progress: Progress = {
    facts: noFacts,
    agreed: undefined,
    withheld: noneWithheld,
    target: undefined,
    terms: noTerms,
    refusedKnown: false,
    trail: [],
    depth: 0,
    openingRefusal: undefined,
  };
  #queryStart: number | undefined;
  #protocols: readonly string[] | undefined;
  #peer: IpAddress | null | undefined;
  #client: ForwardedClient | undefined;
  #tls: TlsFacts | null | undefined;
  #signal: AbortSignal | undefined;

  constructor(source: HandshakeSource, trust: ProxyTrust | undefined) {
    this.transport = source.transport ?? "websocket";
    this.method = source.method;
    this.target = source.target;
    this.httpVersion = source.httpVersion;
    this.headers = new HeaderLines(source.headerLines);
    this.#source = source;
    this.#trust = trust;
    Object.freeze(this);
  }

  get path(): string {
    return this.target.slice(0, this.#pathEnd());
  }

  get query(): string {
    return this.target.slice(this.#pathEnd() + 1);
  }

  get isContinued(): boolean {
    return this.transport === "polling" && namesOneSession(this.query);
  }

  get protocols(): readonly string[] {
    this.#protocols ??= protocolsIn(this.headers.joined("sec-websocket-protocol"));
    return this.#protocols;
  }

  get peerAddress(): string | undefined {
    return this.#peerIp()?.text;
  }

  get clientAddress(): string | undefined {
    return this.#forwarded().address?.text;
  }

  /** Without trusted proxies nobody needs the peer's address for it: Node asks the system, and keeps the answer with the socket. */
  get scheme(): "ws" | "wss" {
    const isSecure =
      this.#trust === undefined ? this.tls !== undefined : this.#forwarded().isSecure;
    return isSecure ? "wss" : "ws";
  }

  get tls(): TlsFacts | undefined {
    if (this.#tls === undefined) this.#tls = this.#source.tls() ?? null;
    return this.#tls ?? undefined;
  }

  get signal(): AbortSignal {
    this.#signal ??= this.#source.signal();
    return this.#signal;
  }

  get identity(): Identity | undefined {
    return this.#progress.facts.identity as Identity | undefined;
  }

  get facts(): Readonly<Record<string, unknown>> {
    return this.#progress.facts;
  }

  #pathEnd(): number {
    if (this.#queryStart === undefined) {
      const mark = this.target.indexOf("?");
      this.#queryStart = mark === -1 ? this.target.length : mark;
    }
    return this.#queryStart;
  }

  #peerIp(): IpAddress | undefined {
    if (this.#peer === undefined) this.#peer = parsePeerAddress(this.#source.peerAddress()) ?? null;
    return this.#peer ?? undefined;
  }

  #forwarded(): ForwardedClient {
    if (this.#client === undefined) {
      this.#client =
        this.#trust === undefined
          ? { isTrustedPeer: false, address: this.#peerIp(), isSecure: this.tls !== undefined }
          : this.#trust.clientOf(this.#peerIp(), this.tls !== undefined, this.headers);
    }
    return this.#client;
  }

  static progressOf(handshake: Handshake): Progress {
    if (!(#progress in handshake))
      throw new TypeError("This is not a handshake made by Firmshake.");
    return handshake.#progress;
  }

  static sourceOf(handshake: Handshake): HandshakeSource {
    if (!(#source in handshake)) throw new TypeError("This is not a handshake made by Firmshake.");
    return handshake.#source;
  }

  static forwardedOf(handshake: Handshake): ForwardedClient {
    if (!(#client in handshake)) throw new TypeError("This is not a handshake made by Firmshake.");
    return handshake.#forwarded();
  }

  static again(handshake: Handshake, facts: object, signal: AbortSignal): Handshake {
    if (!(#source in handshake)) throw new TypeError("This is not a handshake made by Firmshake.");
    const source = { ...handshake.#source, signal: () => signal };
    const made = new OpeningHandshake(source, handshake.#trust);
    made.#progress.facts = Object.freeze({ ...facts });
    return made;
  }

  static hasTrust(handshake: Handshake): boolean {
    return #trust in handshake && handshake.#trust !== undefined;
  }
}

/**
 * Strict: what parsers could disagree on, or take for no `sid` at all, opens a session. The text is the one that was sent, whether or not
 * a token was taken out of it since.
 */
function namesOneSession(query: string): boolean {
  const [name, ...others] = new URLSearchParams(`?${query}`).getAll("sid");
  return name !== undefined && others.length === 0 && /^[\w.~:-]+$/.test(name);
}

function protocolsIn(value: string | undefined): readonly string[] {
  return value === undefined ? noProtocols : Object.freeze(value.split(",").map(trimBlanks));
}

/** Makes the view of a request. `trust` says which peers' forwarding headers count; without it none do. */
export function createHandshake(source: HandshakeSource, trust?: ProxyTrust): Handshake {
  return new OpeningHandshake(source, trust);
}

/** What the checks have said so far, from the given entry on. */
export function trailOf(handshake: Handshake, start = 0): readonly TrailEntry[] {
  return progressOf(handshake).trail.slice(start);
}

/** The request's changing side: facts, trail, and what must be rewritten. For this package's own use. */
export const progressOf: (handshake: Handshake) => Progress = OpeningHandshake.progressOf;

/** What the runtime said of the request. For this package's own use. */
export const sourceOf: (handshake: Handshake) => HandshakeSource = OpeningHandshake.sourceOf;

/** The client behind trusted proxies, parsed. For this package's own use. */
export const forwardedOf: (handshake: Handshake) => ForwardedClient = OpeningHandshake.forwardedOf;

/** The same request once more, for checks that are run again later, with these facts and another signal. For this package's own use. */
export const handshakeAgain: (
  handshake: Handshake,
  facts: object,
  signal: AbortSignal,
) => Handshake = OpeningHandshake.again;

/** Whether the handshake was made with trusted proxies. For this package's own use. */
export const hasTrust: (handshake: Handshake) => boolean = OpeningHandshake.hasTrust;

/** What a gate has to change in the request before it hands it over. */
export function rewriteOf(handshake: Handshake): Rewrite | undefined {
  const { agreed, withheld, target } = progressOf(handshake);
  const left = agreed ?? (withheld.size > 0 ? handshake.protocols : undefined);
  const protocols = left?.filter((name) => !withheld.has(name));
  return protocols === undefined && target === undefined ? undefined : { protocols, target };
}
