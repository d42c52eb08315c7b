/** What stands behind one code by which a gate closes a connection that it had accepted. */
export interface CloseKind {
  /** RFC 6455 §7.4, and the IANA registry. */
  readonly closeCode: number;
  /** Whether the same client may come again: at once, or with a new token. */
  readonly retryable: boolean;
  /** What happened, in a fixed sentence. */
  readonly title: string;
}

const kind = (closeCode: number, title: string, retryable = false): CloseKind =>
  Object.freeze({ closeCode, retryable, title });

/** Every way in which a gate closes a connection: by its age, its owner, its silence, or what it sends. `docs/errors.md` has a heading for each. */
export const closeKinds: Readonly<Record<CloseCode, CloseKind>> = Object.freeze({
  token_expired: kind(3000, "The token has expired.", true),
  revoked: kind(3000, "The token, or the session, was revoked."),
  access_withdrawn: kind(3003, "This connection is not allowed any more."),
  revalidation_failed: kind(1013, "Whether this connection is still allowed cannot be told.", true),
  max_age_reached: kind(1001, "The connection has been open for as long as one may be.", true),
  idle_timeout: kind(3008, "The client has said nothing for too long.", true),
  ping_timeout: kind(3008, "The client has not answered.", true),
  evicted: kind(1008, "A newer connection has taken the place."),
  draining: kind(1012, "The server is shutting down.", true),
  protocol_error: kind(1002, "A frame is not what RFC 6455 allows."),
  message_too_big: kind(1009, "A message is longer than it may be."),
  too_many_fragments: kind(1008, "A message is in too many frames."),
  message_rate_exceeded: kind(1008, "Messages come too fast."),
  byte_rate_exceeded: kind(1008, "Bytes come too fast."),
  control_rate_exceeded: kind(1008, "Pings come too fast."),
  too_many_violations: kind(1008, "Too many rules were broken."),
  slow_consumer: kind(1013, "The client reads too slowly.", true),
});

/** One of the names in {@link closeKinds}. */
export type CloseCode =
  | "token_expired"
  | "revoked"
  | "access_withdrawn"
  | "revalidation_failed"
  | "max_age_reached"
  | "idle_timeout"
  | "ping_timeout"
  | "evicted"
  | "draining"
  | "protocol_error"
  | "message_too_big"
  | "too_many_fragments"
  | "message_rate_exceeded"
  | "byte_rate_exceeded"
  | "control_rate_exceeded"
  | "too_many_violations"
  | "slow_consumer";
