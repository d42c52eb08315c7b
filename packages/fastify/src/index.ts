export * from "@firmshake/node";
export { identity, requestOf } from "./fastify-request.ts";
export { type FirmshakeOptions, firmshake } from "./plugin.ts";
export type { DecidingHook, PolicyOptions, RoutePolicy } from "./policy.ts";
