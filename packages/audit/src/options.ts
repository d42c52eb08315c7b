import type { CheckId } from "./check-id.ts";
import type { AuditEvent } from "./report.ts";

/** What {@link audit} is given besides the URL. */
export interface AuditOptions {
  /** The origin of the endpoint's own pages. Default: the origin of the URL, with `http` for `ws` and `https` for `wss`. */
  readonly origin?: string;
  /** Header lines of the user's own client, such as `Cookie` and `Authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Subprotocols to offer; those that look like tokens are treated as credentials. */
  readonly protocols?: readonly string[];
  /** Names of query parameters that hold credentials, beside those that are known by their name or look. */
  readonly secretParameters?: readonly string[];
  /** Text messages that the user's own client sends first, such as one that authenticates. */
  readonly opening?: readonly string[];
  /** Socket.IO's `auth`, and the payload of `connection_init` for GraphQL. */
  readonly connectPayload?: Readonly<Record<string, unknown>>;
  /** A harmless text message that may be sent many times (WS-RATE-3). Without it, no messages are sent. */
  readonly message?: string;
  /** Other paths of the same server to look at (WS-ORIGIN-9). */
  readonly paths?: readonly string[];
  /** The port where plain `ws` might be served beside a `wss` target. Default 80. */
  readonly plainPort?: number;
  /** PEM certificates of the authorities that the endpoint's certificate is to be judged by, instead of the well-known ones. */
  readonly certificateAuthorities?: string;
  /** The public key, in PEM or JWK text, that the endpoint verifies tokens with (WS-JWT-2). */
  readonly publicKey?: string;
  /** A token that has expired, otherwise like the one given (WS-JWT-3, WS-INFO-1). */
  readonly expiredToken?: string;
  /** Tokens signed with the right key that must be refused all the same, by what is wrong with them, such as `aud` (WS-JWT-3). */
  readonly wrongTokens?: Readonly<Record<string, string>>;
  /** Fetches a fresh ticket: the text that takes the place of `{ticket}` in the URL (WS-AUTH-5). */
  readonly ticket?: () => Promise<string>;
  /** Logs the user out whose credentials were given (WS-LIFE-2, WS-LIFE-3, WS-JWT-5). */
  readonly logout?: () => Promise<void>;
  /** How long the checks of lifetimes may wait, in milliseconds. Default 0: they are skipped. */
  readonly waitMs?: number;
  /** Runs the checks that may end a weak server. Default false. */
  readonly intrusive?: boolean;
  /** Allows a target with a public address: it must be yours. Default false. */
  readonly allowPublic?: boolean;
  /** Runs these alone. Default: all. */
  readonly only?: readonly CheckId[];
  /** Leaves these out. */
  readonly except?: readonly CheckId[];
  readonly limits?: AuditLimits;
  readonly onProgress?: (event: AuditEvent) => void;
  /** Ends the run early; what was found so far is reported. */
  readonly signal?: AbortSignal;
}

/** The bounds of a run. Whatever the server does, it ends within them. */
export interface AuditLimits {
  /** Handshakes in all. Default 400. */
  readonly maxHandshakes?: number;
  /** Bytes received in all. Default 64 MiB. */
  readonly maxBytes?: number;
  /** Milliseconds in all, without what `waitMs` allows. Default 180,000. */
  readonly maxDurationMs?: number;
  /** How long an answer or a pong may take. Default 3,000 milliseconds. */
  readonly answerMs?: number;
  /** How long is listened after 101 before the connection counts as open. Default 400 milliseconds. */
  readonly quietMs?: number;
  /** Quick handshakes of WS-RATE-1. Default 60. */
  readonly rateHandshakes?: number;
  /** Connections of WS-RATE-2. Default 50. */
  readonly rateConnections?: number;
  /** Messages of WS-RATE-3. Default 300. */
  readonly rateMessages?: number;
}
