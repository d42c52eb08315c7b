/** What a framework's adapter is built from. Applications do not need this entry. */
export { isPromiseLike, oneOf } from "@firmshake/core/gate";
export { handshakeOf } from "./connection.ts";
export { identityBy } from "./identity.ts";
export { asksForPolling } from "./polling-request.ts";
export { askBeforeAccepting } from "./walk/ask-before-accepting.ts";
export { attachWalk, expectApp, warnOfUnusedTrust } from "./walk/attach-walk.ts";
export { type Contexts, makeContexts } from "./walk/contexts.ts";
export {
  type GuardMaker,
  guardMaker,
  type Passage,
  passGuard,
  passGuards,
} from "./walk/mounted-guard.ts";
export { guardsOf, type PolicyPart, readPolicyPart } from "./walk/policy-parts.ts";
export { type Walk, walkOf, walkThrough } from "./walk/walk.ts";
export { walkByEntry } from "./walk/walk-entry.ts";
