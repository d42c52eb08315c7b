import type { EventEmitter } from "node:events";

/** How many listen to what. */
export function listenersOn(
  socket: EventEmitter,
): readonly (readonly [name: string, count: number])[] {
  return socket.eventNames().map((event) => [String(event), socket.listenerCount(event)]);
}
