import type { IncomingMessage, Server } from "node:http";
import type { MessageSocket } from "@firmshake/node";
import type { ChatEvent, ChatRequest, LibraryName } from "../protocol.ts";
import type { Room } from "../room.ts";

/** A library that serves WebSockets, and how its servers are spoken to. */
export interface Library {
  readonly name: LibraryName;
  /** As its people write it. */
  readonly title: string;
  /** Serves the room on a server, behind the gate or without one. */
  readonly serve: (server: Server, options: ServeOptions) => { readonly close: () => void };
  readonly dialect: Dialect;
  /** Whether it has a fallback to ordinary requests. */
  readonly polls: boolean;
  /** Connects by the library's own client, which is somebody else's idea of a right handshake than the one that sends the attacks. */
  readonly visit: (host: string, visit: ClientVisit) => Promise<Visited>;
  /** A path that nobody has put a guard on, and that the library accepts all the same. */
  readonly forgottenPath: string;
}

/** What a library is told to serve. */
export interface ServeOptions {
  readonly paths: readonly string[];
  /** Whom those who come by a path meet. */
  readonly roomAt: (path: string) => Room;
  /** Who is at the other end. */
  readonly nameOf: (request: IncomingMessage) => Promise<string>;
  readonly isGated: boolean;
  /** A message has come; where a session began by polling, its WebSocket is another request, which names the session. */
  readonly onMessage: (request: IncomingMessage, sessionId?: string) => void;
  /** Where clients say in their first message who they are. */
  readonly firstMessages: FirstMessages | undefined;
}

/** A path whose clients are not known before their first message. */
export interface FirstMessages {
  readonly path: string;
  /** Whether they are known now; otherwise they have been closed. */
  readonly authenticate: (socket: MessageSocket, request: IncomingMessage) => Promise<boolean>;
}

/** What a library's clients put on the wire, for those that write it themselves. */
export interface Dialect {
  /** What the query has to say beside the application's own. */
  readonly query: string;
  /** The messages that a client begins with. */
  readonly greeting: readonly string[];
  readonly write: (request: ChatRequest) => string;
  /** Undefined for what is the library's own. */
  readonly read: (message: string) => ChatEvent | undefined;
}

/** A client that has every right to connect. */
export interface ClientVisit {
  readonly path: string;
  readonly protocols: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** Default `websocket`. */
  readonly transport?: "websocket" | "polling";
}

/** What came of it. */
export interface Visited {
  /** 0 where nothing came back. */
  readonly status: number;
  /** Whether it was open and a ping answered. */
  readonly isAlive: boolean;
}

/** How long a client waits for an answer, in milliseconds. */
export const patienceMs = 3_000;
