import type { EventEmitter } from "node:events";

/** How many listen to what, but for the one by which a gate hears of a socket's end. */
export function listenersOn(
  socket: EventEmitter,
  isGated: boolean,
): readonly (readonly [name: string, count: number])[] {
  return socket.eventNames().map((event) => {
    const name = String(event);
    return [name, socket.listenerCount(event) - Number(isGated && name === "close")];
  });
}
