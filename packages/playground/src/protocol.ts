/**
 * What the servers and the pages say to each other. Types alone, so that the pages load nothing of the server.
 */

/** A library that WebSockets are served by. */
export type LibraryName = "ws" | "socket.io";

/** Where an attack is sent from. */
export type Place =
  /** A page of another origin: the attack panel itself. */
  | "other-origin"
  /** A sandboxed frame in it, whose origin is `null`. */
  | "sandbox"
  /** The chat's own page, in the hands of somebody with no right to be there. */
  | "own-page"
  /** No browser at all: a program that writes what it likes. */
  | "program";

/** An attack as the panel shows it. */
export interface AttackView {
  readonly id: string;
  readonly title: string;
  /** What it is. */
  readonly sentence: string;
  /** What would happen without the gate. */
  readonly consequence: string;
  readonly place: Place;
}

/** What was measured of one attempt against one server. */
export interface Measured {
  readonly isStopped: boolean;
  /** In a few words, such as `403 origin_denied`. */
  readonly text: string;
  /** The public sentence of a refusal, or what an intruder got. */
  readonly detail?: string;
}

/** A handshake that a browser is to make. */
export interface BrowserAttempt {
  readonly attempt: string;
  readonly url: string;
  readonly protocols: readonly string[];
  readonly library: LibraryName;
}

/** The answer to an attack that was asked for: measured already, or for the browser to make. */
export type AttackOrder =
  | { readonly kind: "measured"; readonly gated: Measured; readonly bare: Measured }
  | { readonly kind: "browser"; readonly gated: BrowserAttempt; readonly bare: BrowserAttempt };

/** Who makes the handshakes at a way. */
export type Sender =
  /** The chat's page, by what browsers have. */
  | "page"
  /** The chat's page, by `@firmshake/client`. */
  | "firm-socket"
  /** A page of another origin. */
  | "other-origin"
  /** A program: pages cannot do it. */
  | "program";

/** A way to prove who you are, as its card shows it. */
export interface WayView {
  readonly id: string;
  readonly title: string;
  readonly sentence: string;
  readonly code: string;
  readonly wire: readonly string[];
  readonly guide: string;
  readonly acts: readonly ActView[];
}

/** A button of a card. */
export interface ActView {
  readonly id: string;
  readonly label: string;
  readonly sentence: string;
  readonly sender: Sender;
  readonly expected: string | number;
}

/** A handshake that a page is to make at a way. */
export interface WayAttempt extends BrowserAttempt {
  readonly firstMessage?: string;
}

/** What is asked for before a handshake, by an ordinary request, and then sent along in its query. */
export interface Errand {
  /** Where it is asked for, by `POST`. */
  readonly from: string;
  /** By which parameter it is sent along. */
  readonly parameter: "ticket" | "csrf";
  /** Of a ticket that is bound to a key. */
  readonly bound?: {
    /** Where the page gets an access token that is bound to its key. */
    readonly tokenFrom: string;
    /** Whose key makes the proof for the handshake. */
    readonly provenBy: "owner" | "thief" | "nobody";
  };
}

/** The answer to a button: measured already, or for the page to make. */
export type WayOrder =
  | { readonly kind: "measured"; readonly wire: readonly string[]; readonly result: WayResult }
  | {
      readonly kind: "browser";
      readonly wire: readonly string[];
      readonly sender: Sender;
      readonly errand?: Errand;
      /** Whether the server hears nothing but a first message. */
      readonly isByFirstMessage: boolean;
      readonly attempts: readonly WayAttempt[];
    };

/** What came of a button. */
export interface WayResult {
  readonly isExpected: boolean;
  /** In a few words, such as `401 ticket_invalid`. */
  readonly text: string;
  /** The public sentence of a refusal, or who was let in. */
  readonly title: string;
  readonly code?: string;
  readonly closeCode?: number;
  /** What came of the handshakes before, where it took several. */
  readonly before: string;
  readonly steps: readonly Step[];
}

/** One check in the row of a handshake. */
export interface Step {
  readonly check: string;
  readonly outcome: "allow" | "refuse" | "unreached";
}

/** A decision as the stream tells it. */
export interface DecisionView {
  readonly id: number;
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly outcome: "accepted" | "refused" | "answered" | "abandoned";
  readonly path: string;
  readonly transport: "websocket" | "polling";
  readonly steps: readonly Step[];
  readonly elapsedMs: number;
  readonly code?: string;
  readonly status?: number;
  /** Where the refusal was said by a close frame. */
  readonly closeCode?: number;
  /** The public sentence of the refusal. */
  readonly title?: string;
  readonly subject?: string;
  /** The id of the attack that the handshake belongs to. */
  readonly attack?: string;
  readonly attempt?: string;
}

/** A connection that is open behind the gate. */
export interface ConnectionView {
  readonly id: string;
  readonly subject?: string;
  readonly path: string;
  /** In milliseconds since 1970, as the next. */
  readonly acceptedAt: number;
  readonly expiresAt?: number;
  /** The messages that the application has got, and what of bytes has come on the socket since it was handed over. */
  readonly received: Traffic;
  /** The same by the second, lately. */
  readonly rate: Traffic;
}

export interface Traffic {
  readonly messages: number;
  readonly bytes: number;
}

/** What is open behind the gate. */
export interface OpenView {
  /** By the gate's clock, in milliseconds since 1970. */
  readonly now: number;
  readonly state: "open" | "draining" | "drained";
  /** The oldest first. */
  readonly connections: readonly ConnectionView[];
}

/** A connection that the gate has closed. */
export interface CloseView {
  readonly id: string;
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly subject?: string;
  readonly path: string;
  readonly openMs: number;
  /** Of `docs/errors.md`. */
  readonly code?: string;
  readonly closeCode: number;
  readonly reason: string;
  /** What happened, in a fixed sentence. */
  readonly title?: string;
}

/** What became of the connections when the server was drained. */
export interface DrainedView {
  readonly open: number;
  readonly closed: number;
  readonly terminated: number;
}

/** A guest that the page is to bring. */
export interface GuestAttempt extends BrowserAttempt {
  readonly name: string;
  /** How often it says something. */
  readonly everyMs: number;
}

/** A rule of open connections that somebody breaks. */
export interface RuleView {
  readonly id: string;
  /** On the button. */
  readonly label: string;
  /** The close that has to follow. */
  readonly expected: string;
}

/** The answer to a rule that is to be broken: done already, or for the page to do. */
export type RuleOrder =
  | { readonly kind: "measured"; readonly heard: Heard }
  | {
      readonly kind: "browser";
      readonly attempt: BrowserAttempt;
      /** What to say at once, as soon as it is open. */
      readonly requests: readonly ChatRequest[];
    };

/** What a client is told by a close frame. */
export interface Heard {
  readonly closeCode?: number | undefined;
  readonly reason: string;
}

/** What the chat's page has to know of the servers. */
export interface Settings {
  readonly pageOrigin: string;
  readonly panelOrigin: string;
  readonly chatUrl: string;
  readonly library: LibraryName;
  /** Framework and library in words. */
  readonly runsOn: string;
  readonly policy: string;
  /** What is tried, by the name that its attempts begin with. */
  readonly attemptTitles: Readonly<Record<string, string>>;
  readonly ways: readonly WayView[];
  /** The guard of the guests, as it runs. */
  readonly guestsCode: string;
  readonly rules: readonly RuleView[];
}

/** Somebody who has signed in. */
export interface SignedIn {
  readonly name: string;
  readonly token: string;
}

/** What a chat client says. */
export type ChatRequest =
  | { readonly type: "say"; readonly text: string }
  | { readonly type: "ping" };

/** What the chat server says. */
export type ChatEvent =
  | { readonly type: "welcome"; readonly name: string; readonly recent: readonly ChatLine[] }
  | { readonly type: "said"; readonly line: ChatLine }
  | { readonly type: "present"; readonly names: readonly string[] }
  | { readonly type: "pong" };

export interface ChatLine {
  readonly from: string;
  readonly text: string;
  readonly at: number;
}
