/** Why a meter closes a connection: what the client is told (RFC 6455 §7.4.1). */
export interface Violation {
  readonly code: number;
  /** A fixed text, as `docs/errors.md` has it. */
  readonly reason: string;
}

const violation = (code: number, reason: string): Violation => Object.freeze({ code, reason });

/** In the order of `docs/errors.md`. */
export const violations: {
  readonly [Name in
    | "protocolError"
    | "messageTooBig"
    | "tooManyFragments"
    | "tooManyMessages"
    | "tooManyBytes"
    | "tooManyControlFrames"
    | "slowConsumer"]: Violation;
} = {
  protocolError: violation(1002, "protocol_error"),
  messageTooBig: violation(1009, "message_too_big"),
  tooManyFragments: violation(1008, "too_many_fragments"),
  tooManyMessages: violation(1008, "message_rate_exceeded"),
  tooManyBytes: violation(1008, "byte_rate_exceeded"),
  tooManyControlFrames: violation(1008, "control_rate_exceeded"),
  slowConsumer: violation(1013, "slow_consumer"),
};
