/** Going away, service restart, try again later, bad gateway, timeout, and what never was a close frame (IANA, RFC 6455 §7.4). */
const retryable: readonly number[] = [1001, 1006, 1012, 1013, 1014, 3008];

/**
 * Whether the same client may come again later: what a server says by the close code. Where the code is a terminal one, a reason such as
 * `token_expired;retry=0` asks for it all the same, with a new token.
 *
 * @example
 * ```ts
 * import { isRetryable } from "@firmshake/client";
 *
 * console.log(isRetryable({ code: 1013 }), isRetryable({ code: 3000 })); // true false
 * ```
 */
export const isRetryable = ({
  code,
  reason = "",
}: {
  readonly code: number;
  readonly reason?: string;
}): boolean => retryable.includes(code) || wait.test(reason);

const wait = /;retry=(\d{1,9})$/;

/** What a reason asks for, such as `rate_limited;retry=7`, in milliseconds. */
export const retryAfterMs = (reason: string): number => Number(wait.exec(reason)?.[1] ?? 0) * 1_000;
