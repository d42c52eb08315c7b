/** Every code that a {@link ConfigError} can carry; each has a heading in `docs/errors.md`. */
export const configErrorCodes = [
  "ERR_FIRMSHAKE_OPTION_UNKNOWN",
  "ERR_FIRMSHAKE_OPTION_INVALID",
  "ERR_FIRMSHAKE_OPTION_MISSING",
  "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
  "ERR_FIRMSHAKE_CHECK_INVALID",
  "ERR_FIRMSHAKE_REFUSAL_INVALID",
  "ERR_FIRMSHAKE_ROUTE_INVALID",
  "ERR_FIRMSHAKE_ORIGIN_INVALID",
  "ERR_FIRMSHAKE_ORIGIN_ANY",
  "ERR_FIRMSHAKE_HOST_INVALID",
  "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
  "ERR_FIRMSHAKE_PROXY_TRUSTS_EVERYONE",
  "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
  "ERR_FIRMSHAKE_IDENTITY_MISSING",
  "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
  "ERR_FIRMSHAKE_KEY_UNFIT",
  "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
  "ERR_FIRMSHAKE_STORE_SHARED",
  "ERR_FIRMSHAKE_PERMIT_INVALID",
  "ERR_FIRMSHAKE_SERVER_INVALID",
  "ERR_FIRMSHAKE_NOT_GUARDED",
  "ERR_FIRMSHAKE_NOT_ATTACHED",
  "ERR_FIRMSHAKE_TARGET_INVALID",
  "ERR_FIRMSHAKE_TARGET_PUBLIC",
] as const;

/** One of {@link configErrorCodes}. */
export type ConfigErrorCode = (typeof configErrorCodes)[number];

/**
 * A mistake in how the software is set up, thrown at once by the function that was called.
 *
 * The message names the option and what to write instead; it never holds the value of a secret.
 *
 * @example
 * ```ts
 * import { ConfigError, origin } from "@firmshake/core";
 *
 * try {
 *   origin(["https://app.example.com/"]);
 * } catch (error) {
 *   if (error instanceof ConfigError) console.log(error.code); // ERR_FIRMSHAKE_ORIGIN_INVALID
 * }
 * ```
 */
export class ConfigError extends TypeError {
  override readonly name: string = "ConfigError";
  /** Stable; match on this and not on the message. */
  readonly code: ConfigErrorCode;

  constructor(code: ConfigErrorCode, message: string) {
    super(`${message} (${code})`);
    this.code = code;
  }
}
