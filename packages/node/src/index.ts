export * from "@firmshake/core";
export { type Attachable, attach, type Policy } from "./attach.ts";
export {
  type BindSessionsOptions,
  bindSessions,
  type EngineServer,
  type ForeignAttempt,
  type SocketIoNamespace,
  type SocketIoServer,
} from "./bind-sessions.ts";
export { type Connection, connectionOf } from "./connection.ts";
export type { DecisionEvent, DecisionOutcome } from "./decision-event.ts";
export {
  type AuthenticateFirst,
  type FirstMessageOptions,
  firstMessage,
  type RefusedFirst,
} from "./first-message.ts";
export type { Gate, GateOptions } from "./gate.ts";
export { identity, type SignedIn } from "./identity.ts";
export type { MessageSocket } from "./message-socket.ts";
export { requestOf } from "./request-of.ts";
export type { Ruling, Upgrade, UpgradeHandler } from "./ruling.ts";
