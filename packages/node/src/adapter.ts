/** What a framework's adapter is built from. Applications do not need this entry. */
export { isPromiseLike } from "@firmshake/core/gate";
export { handshakeOf } from "./connection.ts";
export { isAttached } from "./gate.ts";
export { identityBy } from "./identity.ts";
export { attachWalk, expectApp } from "./walk/attach-walk.ts";
export { type Contexts, makeContexts } from "./walk/contexts.ts";
export { type GuardMaker, guardMaker, passGuard } from "./walk/mounted-guard.ts";
export { type Walk, walkInside, walkOf, walkThrough } from "./walk/walk.ts";
export { finish } from "./walk/walk-response.ts";
