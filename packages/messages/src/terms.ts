import type { RateLimitRule } from "@firmshake/core";
import type { MessageConnection } from "./allow.ts";
import type { JsonBounds } from "./json/json-bounds.ts";
import type { AnyMessageType } from "./message.ts";
import type { MessageErrorCode } from "./message-errors.ts";

/** A message that was not handled, as policies and logs see it. Nothing of what the client sent is in it. */
export interface MessageFault {
  readonly code: MessageErrorCode;
  /** The declared type, where it is known. */
  readonly type: string | undefined;
  /** Which message of the connection it was, from 1 on. */
  readonly position: number;
  /** Where the budget is empty: when there is enough in it, in milliseconds from now. */
  readonly retryAfterMs: number | undefined;
  /** Where the data is wrong, as JSON Pointers; the keys in them may be the client's. At most 5, of 100 characters. */
  readonly paths: readonly string[];
}

/** What becomes of a message that is wrong: its client is told and may go on, is closed, or learns nothing. */
export type FaultPolicy = "answer" | "close" | "ignore";

/** Where something was thrown. */
export interface MessageErrorPlace {
  readonly type: string | undefined;
  readonly position: number;
  readonly connection: MessageConnection;
}

/** What a protocol holds its connections to. */
export interface Terms {
  readonly types: ReadonlyMap<string, AnyMessageType>;
  readonly binary: AnyMessageType | "refuse" | "json";
  readonly bounds: JsonBounds;
  readonly typeOf: (message: unknown) => unknown;
  readonly dataOf: (message: unknown) => unknown;
  /** The property of answers that says that they are errors. */
  readonly typeKey: string;
  readonly budget: RateLimitRule | undefined;
  readonly faults: RateLimitRule;
  readonly maxWaiting: number;
  readonly showPaths: boolean;
  readonly onFault: (fault: MessageFault, connection: MessageConnection) => FaultPolicy;
  readonly onError: (error: unknown, place: MessageErrorPlace) => unknown;
  readonly now: () => number;
}
