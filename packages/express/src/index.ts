export * from "@firmshake/node";
export { type App, attach } from "./attach.ts";
export { type GuardMiddleware, guard } from "./guard.ts";
export { handOver } from "./hand-over.ts";
export { identity, type SignedIn } from "./identity.ts";
export { requestOf } from "./request-of.ts";
