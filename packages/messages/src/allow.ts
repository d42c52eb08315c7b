import { ConfigError, type Identity, type MaybePromise } from "@firmshake/core";
import { grantedTo } from "@firmshake/core/gate";

/** The least that is known of a connection. `connectionOf(request)` gives more, and is one. */
export interface MessageConnection {
  /** Who was authenticated. */
  readonly identity?: Identity | undefined;
}

/** Tells whether a connection may send messages of a type. Anything but true, or a promise of it, is a no. */
export type Allow<Connection> = (connection: Connection) => MaybePromise<boolean>;

/** Lets every connection send messages of a type: the word for what is not denied by mistake. */
export function everybody(): boolean {
  return true;
}

/** Lets connections send messages of a type whose handshake, or first message, has authenticated somebody. */
export function authenticated({ identity }: MessageConnection): boolean {
  return identity !== undefined;
}

/**
 * Lets connections send messages of a type whose identity was granted every one of these scopes, compared letter by letter (RFC 6749 §3.3).
 * Rights come from what was verified when the connection was opened, never from a message.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for what cannot be a scope.
 *
 * @example
 * ```ts
 * import { message, withScope } from "@firmshake/messages";
 * import { z } from "zod";
 *
 * const ban = message({ schema: z.object({ user: z.string().max(64) }), allow: withScope("chat:admin") });
 * ```
 */
export function withScope(...scopes: readonly [string, ...string[]]): Allow<MessageConnection> {
  if (scopes.length === 0 || !scopes.every((scope) => typeof scope === "string" && scope !== "")) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `withScope: write each scope as a text of its own, such as withScope("chat:admin").`,
    );
  }
  return function withScope({ identity }) {
    if (identity === undefined) return false;
    const granted = grantedTo(identity);
    return scopes.every((scope) => granted.includes(scope));
  };
}
