/** A value, or a promise of it. */
export type MaybePromise<Value> = Value | PromiseLike<Value>;

/** A token, and when it is over. */
export interface ExpiringToken {
  readonly token: string;
  /** A date, or milliseconds since 1970; the `exp` of a JWT is in seconds. */
  readonly expiresAt: Date | number;
}

/** How a lost connection is opened again. */
export interface ReconnectOptions {
  /** The longest first wait, in milliseconds; each next may be twice as long. Default 1,000. */
  readonly baseMs?: number;
  /** The longest of all waits, unless the server asks for more. Default 30,000. */
  readonly maxMs?: number;
  /** How many times in a row. Default: for ever. */
  readonly maxAttempts?: number;
}

/** What a socket may be told. */
export interface FirmSocketOptions {
  /**
   * Asked before each connection. The token is offered behind the subprotocols, as `bearer, <token>`, which `subprotocolToken()` reads. No
   * token closes with 3000; a failure counts as an outage.
   */
  readonly token?: () => MaybePromise<string | ExpiringToken | null | undefined>;
  /**
   * Where a ticket for one connection is to be had, by POST with the cookies of the same origin: as text, or as the `ticket` of a JSON
   * object. Or a function that gets one. It is sent as `?ticket=`.
   */
  readonly ticket?: string | URL | (() => MaybePromise<string>);
  /** Default: on, for closes that are worth it. `false` for libraries that reconnect themselves. */
  readonly reconnect?: ReconnectOptions | false;
  /** How long a connection may take, its token and its ticket included, in milliseconds; then it counts as lost. Default 30,000. */
  readonly connectTimeoutMs?: number;
  /** How long before a token's `expiresAt` a new connection takes the place of the old, in milliseconds. Default 30,000. */
  readonly refreshBeforeExpiryMs?: number;
  /** The class of the connections below. Default: the global one, which Node has from 22 on. */
  readonly WebSocket?: new (
    url: string,
    protocols?: string[],
  ) => object;
}
