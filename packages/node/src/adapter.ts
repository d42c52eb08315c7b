/** What a framework's adapter is built from. Applications do not need this entry. */
export { isPromiseLike } from "@firmshake/core/gate";
export { handshakeOf } from "./connection.ts";
export { emitsOn } from "./emits-on.ts";
export { isAttached } from "./gate.ts";
export { identityBy } from "./identity.ts";
export { asksForPolling } from "./polling-request.ts";
export { attachWalk } from "./walk/attach-walk.ts";
export { type Contexts, makeContexts } from "./walk/contexts.ts";
export {
  type GuardMaker,
  guardMaker,
  type Passage,
  passGuard,
  passGuards,
} from "./walk/mounted-guard.ts";
export { type Walk, walkInside, walkOf, walkThrough } from "./walk/walk.ts";
