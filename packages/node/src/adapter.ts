/** What a framework's adapter is built from. Applications do not need this entry. */
export { isPromiseLike } from "@firmshake/core/gate";
export { addPermit, handshakeOf, wasPermittedBy } from "./connection.ts";
export { isAttached } from "./gate.ts";
export { asksForPolling } from "./polling-request.ts";
export { asksForWebSocket } from "./websocket-request.ts";
