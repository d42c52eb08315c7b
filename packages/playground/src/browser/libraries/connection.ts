import type { BrowserAttempt, ChatEvent, ChatRequest, LibraryName } from "../../protocol.ts";
import { connectBySocketIo } from "./socket-io.ts";
import { connectByWebSocket } from "./web-socket.ts";

/** The page's end of a connection. */
export interface Connection {
  readonly isOpen: () => boolean;
  readonly send: (request: ChatRequest) => void;
  readonly close: () => void;
}

/** What a connection tells. */
export interface Listener {
  readonly onOpen?: () => void;
  readonly onEvent: (event: ChatEvent) => void;
  /** Once, also where it was never open. */
  readonly onClose: (closed: Closed) => void;
}

/** All that a page learns of a close. Browsers hide status and body of a refusal: its close frame, if there is one, tells more. */
export interface Closed {
  readonly closeCode?: number | undefined;
  readonly reason: string;
}

/** Where to connect, and what to offer. */
export interface Destination extends Pick<BrowserAttempt, "url" | "protocols"> {
  /** For `Authorization`, which pages can say where they poll. Without it nobody polls. */
  readonly token?: string;
}

/** Connects as the server's library wants it. */
export type Connect = (destination: Destination, listener: Listener) => Connection;

const ways: Readonly<Record<LibraryName, Connect>> = {
  ws: connectByWebSocket,
  "socket.io": connectBySocketIo,
};

/** Connects to a server by its library. */
export const connectTo = (
  library: LibraryName,
  destination: Destination,
  listener: Listener,
): Connection => ways[library](destination, listener);
