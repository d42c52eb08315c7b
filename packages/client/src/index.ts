export { isRetryable } from "./close-code.ts";
export {
  FirmSocket,
  type FirmSocketClass,
  type SocketCloseEvent,
  type SocketEvents,
  type SocketReconnectingEvent,
  withFirmshake,
} from "./firm-socket.ts";
export type {
  ExpiringToken,
  FirmSocketOptions,
  MaybePromise,
  ReconnectOptions,
} from "./options.ts";
