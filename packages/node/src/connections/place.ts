import type { ConnectionTerm } from "@firmshake/core/gate";
import type { GuardedSocket } from "./guarded-socket.ts";

/** A place that a handshake has taken, and its connection keeps. */
export interface Place extends ConnectionTerm {
  readonly kind: "place";
  /** Of which check. */
  readonly owner: object;
  readonly release: () => void;
  /** The handshake was accepted. Called more than once. */
  readonly admit: (guarded: GuardedSocket) => void;
}

export const isPlace = (term: ConnectionTerm): term is Place => term.kind === "place";
