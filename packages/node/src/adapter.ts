/** What a framework's adapter is built from. Applications do not need this entry. */
export { defineCheck, isPromiseLike, ranks } from "@firmshake/core/gate";
export { addPermit, isHandedOver, wasPermittedBy } from "./connection.ts";
export { isAttached } from "./gate.ts";
export { asksForWebSocket } from "./websocket-request.ts";
