/** What stands behind one refusal code, the same in every framework and runtime. */
export interface RefusalKind {
  /** HTTP status of the answer before the upgrade. */
  readonly status: number;
  /** WebSocket close code, where the refusal has to be said after the upgrade (RFC 6455 §7.4, IANA registry). */
  readonly closeCode: number;
  /** Whether the same client may come again later without changing anything. */
  readonly retryable: boolean;
  /** The public sentence: fixed, and true of every case, so that nothing can be learnt from it. */
  readonly title: string;
}

const kind = (status: number, closeCode: number, title: string, retryable = false): RefusalKind =>
  Object.freeze({ status, closeCode, retryable, title });

/** Every way in which a handshake is refused. `docs/errors.md` has a heading for each. */
export const refusalKinds: Readonly<Record<RefusalCode, RefusalKind>> = Object.freeze({
  // The opening handshake itself (RFC 6455 §4.2.1).
  method_not_allowed: kind(405, 1002, "A WebSocket handshake is a GET request."),
  handshake_malformed: kind(400, 1002, "This is not a valid WebSocket handshake."),
  version_unsupported: kind(426, 1002, "Only version 13 of the WebSocket protocol is spoken here."),
  protocol_unsupported: kind(501, 1002, "This protocol is not spoken here."),
  target_invalid: kind(400, 1002, "The request target is not a plain path."),
  body_not_allowed: kind(400, 1002, "A WebSocket handshake has no body."),
  headers_too_many: kind(431, 1002, "The request has too many header lines."),
  early_data: kind(400, 1002, "Data was sent before the handshake was answered."),
  // Where it comes from.
  forwarded_invalid: kind(400, 1008, "The forwarding headers cannot be understood."),
  forwarded_conflict: kind(400, 1008, "The forwarding headers contradict each other."),
  address_unknown: kind(403, 3003, "The client's address cannot be told."),
  address_denied: kind(403, 3003, "This address may not connect."),
  tls_required: kind(403, 3003, "Only secure connections (wss) are accepted."),
  host_denied: kind(421, 3003, "This host name is not served here."),
  origin_missing: kind(403, 3003, "An Origin header is required."),
  origin_null: kind(403, 3003, "Opaque origins may not connect."),
  origin_invalid: kind(403, 3003, "The Origin header is not an origin."),
  origin_denied: kind(403, 3003, "This origin may not connect."),
  // What it asks for.
  subprotocol_required: kind(400, 1002, "A subprotocol must be offered."),
  subprotocol_unsupported: kind(400, 1002, "None of the offered subprotocols is spoken here."),
  not_found: kind(404, 3003, "There is no WebSocket endpoint at this path."),
  // How often.
  rate_limited: kind(429, 1013, "Too many handshakes; come again later.", true),
  rate_key_invalid: kind(400, 1008, "The handshake cannot be counted."),
  banned: kind(403, 3003, "Too many rules were broken; this client is kept out for a while."),
  connections_exceeded: kind(429, 1013, "Too many connections are open; come again later.", true),
  overloaded: kind(503, 1013, "The server is busy; come again later.", true),
  // Who it is (RFC 6750 §3.1).
  token_missing: kind(401, 3000, "Authentication is required."),
  token_ambiguous: kind(400, 3000, "More than one token was sent."),
  token_malformed: kind(400, 3000, "The token cannot be read."),
  token_invalid: kind(401, 3000, "The token is not valid."),
  proof_invalid: kind(401, 3000, "The proof of possession is not valid."),
  proof_nonce_required: kind(401, 3000, "The proof of possession needs the server's nonce."),
  keys_unavailable: kind(503, 1013, "Tokens cannot be verified at the moment.", true),
  insufficient_scope: kind(403, 3003, "This needs more rights than were granted."),
  ticket_invalid: kind(401, 3000, "The ticket is not valid."),
  tickets_unavailable: kind(503, 1013, "Tickets cannot be had or used at the moment.", true),
  csrf_invalid: kind(403, 3003, "The page has not shown that it belongs to this session."),
  unauthorized: kind(401, 3000, "Authentication is required."),
  forbidden: kind(403, 3003, "This connection is not allowed."),
  // What went wrong here.
  decision_timeout: kind(503, 3008, "The handshake could not be decided in time.", true),
  client_gone: kind(400, 1001, "The client left before the handshake was decided.", true),
  store_failed: kind(503, 1013, "The handshake cannot be counted at the moment.", true),
  authorization_unavailable: kind(
    503,
    1013,
    "Whether this connection is allowed cannot be told at the moment.",
    true,
  ),
  check_failed: kind(500, 1011, "The handshake could not be checked."),
  shutting_down: kind(503, 1001, "The server is shutting down.", true),
});

/** One of the names in {@link refusalKinds}. */
export type RefusalCode =
  | "method_not_allowed"
  | "handshake_malformed"
  | "version_unsupported"
  | "protocol_unsupported"
  | "target_invalid"
  | "body_not_allowed"
  | "headers_too_many"
  | "early_data"
  | "forwarded_invalid"
  | "forwarded_conflict"
  | "address_unknown"
  | "address_denied"
  | "tls_required"
  | "host_denied"
  | "origin_missing"
  | "origin_null"
  | "origin_invalid"
  | "origin_denied"
  | "subprotocol_required"
  | "subprotocol_unsupported"
  | "not_found"
  | "rate_limited"
  | "rate_key_invalid"
  | "banned"
  | "connections_exceeded"
  | "overloaded"
  | "token_missing"
  | "token_ambiguous"
  | "token_malformed"
  | "token_invalid"
  | "proof_invalid"
  | "proof_nonce_required"
  | "keys_unavailable"
  | "insufficient_scope"
  | "ticket_invalid"
  | "tickets_unavailable"
  | "csrf_invalid"
  | "unauthorized"
  | "forbidden"
  | "decision_timeout"
  | "client_gone"
  | "store_failed"
  | "authorization_unavailable"
  | "check_failed"
  | "shutting_down";
