import { type CloseCode, ConfigError, closeKinds } from "@firmshake/core";
import type { Closing } from "./guarded-socket.ts";

/** What is said of one of the gate's own reasons: `code`, or `code;retry=seconds`, as `docs/errors.md` has it. */
export function closingBy(
  code: CloseCode,
  { closeCode = closeKinds[code].closeCode, retryAfter }: CloseWish = {},
): Closing {
  const closeReason = retryAfter === undefined ? code : `${code};retry=${retryAfter}`;
  return Object.freeze({ code, closeCode, closeReason });
}

interface CloseWish {
  readonly closeCode?: number | undefined;
  /** In seconds. */
  readonly retryAfter?: number | undefined;
}

const maxReasonBytes = 123;

/** @throws {@link ConfigError} for what may not be in a close frame (RFC 6455 §5.5, §7.4). */
export function refuseUnsendable(code: number, reason: string): void {
  const isSendable =
    Number.isInteger(code) &&
    ((code >= 1_000 && code <= 1_014 && ![1_004, 1_005, 1_006].includes(code)) ||
      (code >= 3_000 && code <= 4_999));
  if (isSendable && typeof reason === "string" && Buffer.byteLength(reason) <= maxReasonBytes)
    return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    `close: the code must be one that may be sent (1000 to 1003, 1007 to 1014, 3000 to 4999), and the reason a text of ${maxReasonBytes} bytes at most.`,
  );
}
