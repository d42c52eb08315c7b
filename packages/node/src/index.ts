export * from "@firmshake/core";
export type { MessageSocket } from "@firmshake/core/gate";
export { type Attachable, attach, type Policy } from "./attach.ts";
export {
  type BindSessionsOptions,
  bindSessions,
  type EngineServer,
  type ForeignAttempt,
  type SocketIoNamespace,
  type SocketIoServer,
} from "./bind-sessions.ts";
export { type BoundToCertificateOptions, boundToCertificate } from "./bound-to-certificate.ts";
export type { CertificateSubject } from "./certificate/certificate-subject.ts";
export type { CertificateSource } from "./certificate/presented-certificate.ts";
export { type ClientCertificateOptions, clientCertificate } from "./client-certificate.ts";
export type { RefuseOption } from "./closing-answer.ts";
export { connectionOf } from "./connection.ts";
export type { Clock } from "./connections/clock.ts";
export type { CloseEvent } from "./connections/close-event.ts";
export type { ConnectionFilter } from "./connections/connection-filter.ts";
export type { Drained, DrainOptions } from "./connections/drain.ts";
export type { Closing, Connection } from "./connections/guarded-socket.ts";
export { type MaxConnectionsOptions, maxConnections } from "./connections/max-connections.ts";
export type { Connections, ConnectionTest } from "./connections/open-connections.ts";
export { type Renew, type RenewalOptions, type Renewed, renewal } from "./connections/renewal.ts";
export {
  type RenewalRouteOptions,
  renewalAnswers,
  renewalRoute,
} from "./connections/renewal-route.ts";
export {
  type Revocation,
  type Revocations,
  RevocationsFull,
  type RevocationsOptions,
  revocations,
} from "./connections/revocations.ts";
export type { DecisionEvent, DecisionOutcome } from "./decision-event.ts";
export {
  type AuthenticateFirst,
  type FirstMessageOptions,
  firstMessage,
  type RefusedFirst,
} from "./first-message.ts";
export type { Gate, GateOptions } from "./gate.ts";
export { identity, type SignedIn } from "./identity.ts";
export type { OverloadOptions } from "./overload.ts";
export { requestOf } from "./request-of.ts";
export type { Ruling, Upgrade, UpgradeHandler } from "./ruling.ts";
export { type TicketRouteOptions, ticketAnswers } from "./tickets/ticket-answers.ts";
export type { TicketEvent } from "./tickets/ticket-event.ts";
export { ticketRoute } from "./tickets/ticket-route.ts";
export type { Party } from "./violations/party.ts";
export {
  type Standing,
  type StandingEvent,
  type Violations,
  type ViolationsOptions,
  violations,
} from "./violations/violations.ts";
