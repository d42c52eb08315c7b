import type { IncomingMessage, Server } from "node:http";
import type { GateOptions, TicketEvent, Tickets } from "@firmshake/node";
import type { WebSocket } from "ws";
import type { RelyingParty } from "./relying-party.ts";

/** Where an application is to be served, and with what. */
export interface Site {
  /** Already listening. */
  readonly server: Server;
  /** Whose pages may ask for tickets and open sockets. */
  readonly origins: readonly string[];
  readonly issuer: string;
  readonly party: RelyingParty;
  readonly entry: Tickets;
  /** The script `/client.js`. */
  readonly client: string;
  readonly options: GateOptions;
  readonly onTicket: (event: TicketEvent) => void;
  /** To be called for each socket that has come through the gate. */
  readonly onConnection: (socket: WebSocket, request: IncomingMessage) => void;
}

/**
 * Serves an application: signing in and out by the server, with its page at `/`, tickets at `/ticket` and sockets for them at `/chat`; and
 * the page that signs in by itself, at `/page`, with sockets for its tokens at `/rooms`.
 */
export type Serve = (site: Site) => Promise<void>;

export const sessionSecret = "a secret of at least 32 characters";
