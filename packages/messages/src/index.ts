export {
  type Allow,
  authenticated,
  everybody,
  type MessageConnection,
  withScope,
} from "./allow.ts";
export type { Handlers, ListenOptions, MessageContext, Socket } from "./listen.ts";
export type { EventContext, SocketIoOptions, SocketIoSocket } from "./listen-to-socket-io.ts";
export { type AnyMessageType, type MessageOptions, type MessageType, message } from "./message.ts";
export {
  type MessageErrorCode,
  type MessageErrorKind,
  messageErrors,
} from "./message-errors.ts";
export {
  type BinaryPolicy,
  type ConnectionOf,
  type MessagesOptions,
  type MessageTypes,
  messages,
  type Protocol,
} from "./messages.ts";
export type {
  Checked,
  CompiledCheck,
  CompiledFunction,
  DataOf,
  Schema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./schema.ts";
export type { FaultPolicy, MessageErrorPlace, MessageFault } from "./terms.ts";
