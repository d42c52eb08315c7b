import { refuseUnsendable } from "./close-reason.ts";
import { type ConnectionFilter, compileFilter } from "./connection-filter.ts";
import type { Connection } from "./guarded-socket.ts";
import type { Registry } from "./registry.ts";
import type { Revocation, Revocations } from "./revocations.ts";

/** The accepted WebSockets of a gate's server, as long as their sockets are open. */
export interface Connections extends Iterable<Connection> {
  /** Those that are just being closed among them. */
  readonly size: number;
  /** Those that fit, looked for one by one. They may be closed meanwhile. */
  readonly find: (filter: ConnectionFilter | ConnectionTest) => Iterable<Connection>;
  /**
   * Closes those that fit.
   *
   * @returns how many.
   */
  readonly close: (
    filter: ConnectionFilter | ConnectionTest,
    closing?: { readonly code?: number; readonly reason?: string },
  ) => number;
  /**
   * Closes those that fit with 3000 `revoked`, and refuses their handshakes from now on until the tokens have expired by themselves.
   *
   * @returns how many were closed.
   */
  readonly revoke: (revocation: Revocation) => number;
}

/** Picks connections by whatever is known of them. */
export type ConnectionTest = (connection: Connection) => boolean;

export function openConnections(registry: Registry, revocations: Revocations): Connections {
  function* find(matches: ReturnType<typeof compileFilter>): Generator<Connection, void, unknown> {
    for (const guarded of registry) {
      if (guarded.place !== -1 && !guarded.isClosing && matches(guarded)) yield guarded.view;
    }
  }
  return Object.freeze({
    get size() {
      return registry.size;
    },
    [Symbol.iterator]: () => find(() => true),
    find: (filter: ConnectionFilter | ConnectionTest) => find(compileFilter("find", filter)),
    close: (
      filter: ConnectionFilter | ConnectionTest,
      { code = 1_000, reason = "" }: { readonly code?: number; readonly reason?: string } = {},
    ) => {
      const matches = compileFilter("close", filter);
      refuseUnsendable(code, reason);
      return registry.closeAll(matches, { code: undefined, closeCode: code, closeReason: reason });
    },
    revoke: revocations.revoke,
  });
}
