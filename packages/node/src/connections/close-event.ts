import type { Closing, Connection } from "./guarded-socket.ts";

/** A connection that the gate, or the application by `close`, has closed, ready to be logged. */
export interface CloseEvent extends Closing {
  readonly connection: Connection;
  /** As in decision events: shortened and escaped. */
  readonly path: string;
  readonly clientAddress: string | undefined;
  /** Who was authenticated, where somebody was. */
  readonly subject: string | undefined;
  /** How long it was open, in milliseconds. */
  readonly openMs: number;
}
