/** What a framework's adapter is built from. Applications do not need this entry. */
export { isPromiseLike } from "@firmshake/core/gate";
export { addPermit, isHandedOver, wasPermittedBy } from "./connection.ts";
export { isAttached } from "./gate.ts";
export { forgetRequest, rememberRequest } from "./request-of.ts";
export { asksForWebSocket } from "./websocket-request.ts";
