import type { Duplex } from "node:stream";
import { type CloseCode, closeKinds } from "@firmshake/core";
import { closeSocket } from "./frames/close-socket.ts";
import { makeStamp, type Stamp } from "./stamp.ts";

/** What stands for the connection on a socket, and tells others when it is closed. */
export interface SocketOwner {
  /** False where there is nothing left to close. */
  readonly closeFor: (code: CloseCode) => boolean;
  /** The socket is destroyed. Called at once, and by the meter: a listener of its own would weigh more than half of what else there is. */
  readonly leave: () => void;
}

export const ownerOf: Stamp<SocketOwner> = makeStamp<SocketOwner>();

/** Closes a WebSocket for what it has done, by its owner where it has one. */
export function closeFor(socket: Duplex, code: CloseCode): void {
  if (ownerOf.of(socket)?.closeFor(code) === true) return;
  closeSocket(socket, closeKinds[code].closeCode, code);
}
