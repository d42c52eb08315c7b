import type { RefusalCode, TrailEntry, Transport } from "@firmshake/core";

/** `answered`: middleware answered the upgrade itself. `abandoned`: the client left before the decision. */
export type DecisionOutcome = "accepted" | "refused" | "answered" | "abandoned";

/** What became of one handshake, ready to be logged: no secret, and the path shortened and escaped. */
export interface DecisionEvent {
  readonly outcome: DecisionOutcome;
  readonly transport: Transport;
  /** Without the query and without what looks like a JWT. What is not printable ASCII is percent-encoded; 200 characters at most. */
  readonly path: string;
  readonly clientAddress: string | undefined;
  /** Who was authenticated, where somebody was. */
  readonly subject: string | undefined;
  /** Of a refusal. */
  readonly code: RefusalCode | undefined;
  /** Of the answer, where there was one; where a close frame was sent in its stead, what the answer would have had. */
  readonly status: number | undefined;
  /** Of the close frame, where a refusal was said by one. */
  readonly closeCode: number | undefined;
  /** Of a refusal, for the log alone. */
  readonly reason: string | undefined;
  /** What a guard in report mode would have refused. */
  readonly reported: RefusalCode | undefined;
  readonly trail: readonly TrailEntry[];
  /**
   * The error behind the refusal, where there was one. This project's own hold no secret; what a check of the application or a store throws
   * is given on as it is, and says whatever it says.
   */
  readonly cause: unknown;
  readonly elapsedMs: number;
}

const maxLength = 200;

/** A path as it may stand in a log line. */
export function loggablePath(path: string): string {
  // Node decodes request lines as Latin-1: there is no half of a surrogate pair to trip over.
  const escaped = path.slice(0, maxLength).replace(/[^\x21-\x7e]/g, encodeURIComponent);
  // An escape is not cut in two.
  const cut = escaped.slice(0, maxLength).replace(/%[0-9A-F]?$/, "");
  return cut.replace(jwtLike, "eyJ...");
}

/** `{"` in base64url, and so much after it that it is no word: some clients put their token into the path. */
const jwtLike = /eyJ[\w.~%=-]{16,}/g;
