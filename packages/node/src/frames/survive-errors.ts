import type { Duplex } from "node:stream";
import { ignore } from "../answer-on-socket.ts";

/**
 * Listens for errors of the WebSocket that `ws`, which most libraries build on, has put on the socket, where its application does not: text that is no
 * UTF-8 would end the process (CVE-2022-39386).
 */
export function surviveErrors(socket: Duplex): void {
  for (const symbol of Object.getOwnPropertySymbols(socket)) {
    if (symbol.description !== "websocket") continue;
    const { on, listenerCount } = Object(Reflect.get(socket, symbol)) as Partial<Duplex>;
    const webSocket: unknown = Reflect.get(socket, symbol);
    if (typeof on !== "function" || typeof listenerCount !== "function") continue;
    if (Reflect.apply(listenerCount, webSocket, ["error"]) === 0) {
      Reflect.apply(on, webSocket, ["error", ignore]);
    }
  }
}
