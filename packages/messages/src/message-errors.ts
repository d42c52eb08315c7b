/** What stands behind one code of a message that was not handled. */
export interface MessageErrorKind {
  /** What the connection is closed with where the policy closes it (RFC 6455 §7.4.1). */
  readonly closeCode: number;
  /** Whether the same message may be sent again later without changing anything. */
  readonly retryable: boolean;
  /** The public sentence: fixed, so that nothing of what was sent comes back. */
  readonly title: string;
}

/** Why a message did not reach its handler, or failed there. `docs/errors.md` has a heading for each. */
export type MessageErrorCode =
  | "binary_unsupported"
  | "text_unsupported"
  | "text_malformed"
  | "json_malformed"
  | "message_too_long"
  | "json_too_deep"
  | "json_too_many_keys"
  | "json_string_too_long"
  | "json_number_unfit"
  | "json_key_duplicate"
  | "json_key_forbidden"
  | "message_type_unknown"
  | "message_not_allowed"
  | "message_invalid"
  | "message_over_budget"
  | "messages_waiting"
  | "messages_faulty"
  | "message_failed";

const kind = (closeCode: number, title: string, retryable = false): MessageErrorKind =>
  Object.freeze({ closeCode, retryable, title });

/** Every code of {@link MessageErrorCode}. */
export const messageErrors: Readonly<Record<MessageErrorCode, MessageErrorKind>> = Object.freeze({
  // What kind of data it is.
  binary_unsupported: kind(1003, "Binary messages are not understood here."),
  text_unsupported: kind(1003, "Text messages are not understood here."),
  text_malformed: kind(1007, "The text is not well-formed Unicode."),
  json_malformed: kind(1007, "The message is not JSON."),
  // How much it is.
  message_too_long: kind(1009, "The message is too long."),
  json_too_deep: kind(1008, "The message is nested too deeply."),
  json_too_many_keys: kind(1008, "The message has too many keys or elements."),
  json_string_too_long: kind(1008, "A string of the message is too long."),
  json_number_unfit: kind(1008, "A number of the message is too long or too large."),
  json_key_duplicate: kind(1008, "A key of the message stands twice."),
  json_key_forbidden: kind(1008, "A key of the message is not allowed."),
  // What it says.
  message_type_unknown: kind(1008, "There is no such type of message."),
  message_not_allowed: kind(1008, "This type of message is not allowed to this connection."),
  message_invalid: kind(1008, "The message is not what its type asks for."),
  // How often.
  message_over_budget: kind(1008, "Too much was asked for; send less often.", true),
  messages_waiting: kind(1008, "Too many messages wait to be handled; send less often.", true),
  messages_faulty: kind(1008, "Too many messages were wrong."),
  // What went wrong here.
  message_failed: kind(1011, "The message could not be handled."),
});
