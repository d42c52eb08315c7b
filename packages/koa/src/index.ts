export * from "@firmshake/node";
export { type App, attach } from "./attach.ts";
export { contextOf, identity, type KoaContext, type KoaMiddleware } from "./context.ts";
export { type GuardMiddleware, guard } from "./guard.ts";
export { handOver } from "./hand-over.ts";
export { ticketRoute } from "./ticket-route.ts";
