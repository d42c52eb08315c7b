import type { MaybePromise } from "@firmshake/core";
import { isPromiseLike, takeUnits } from "@firmshake/core/gate";
import type { AnyMessageType } from "./message.ts";
import { type MessageErrorCode, messageErrors } from "./message-errors.ts";
import type { FaultPolicy, MessageFault, Terms } from "./terms.ts";

/** How messages of one connection come, and how it is answered. */
export interface Wire<Raw> {
  readonly isLeaving: () => boolean;
  /** In bytes, about; what is longer than the bounds is not kept. */
  readonly sizeOf: (raw: Raw) => number;
  /** Never throws. */
  readonly read: (raw: Raw) => Found | MessageErrorCode;
  readonly handle: (found: Found, data: never, raw: Raw, position: number) => unknown;
  readonly answer: (error: object, raw: Raw) => void;
  readonly close: (closeCode: number, code: MessageErrorCode) => void;
}

/** A message whose type is known. */
export interface Found {
  readonly type: AnyMessageType;
  readonly name: string | undefined;
  readonly data: unknown;
}

/**
 * Takes the messages of one connection through everything that stands before their handlers, one after the other and in their order. While
 * one waits for a promise, a bounded number waits behind it. Never throws.
 */
export function converse<Raw>(
  terms: Terms,
  connection: object,
  wire: Wire<Raw>,
): (raw: Raw) => void {
  const { budget, bounds, maxWaiting, now } = terms;
  const waiting: { readonly raw: Raw; readonly position: number; readonly size: number }[] = [];
  let waitingBytes = 0;
  let position = 0;
  let isBusy = false;
  let isOver = false;
  let budgetFullAt = 0;
  let faultsFullAt = 0;
  /** The type of the message that is being handled. */
  let name: string | undefined;

  return function receive(raw) {
    if (isGone()) return;
    position++;
    // Before anything is read: a flood costs next to nothing.
    const retryAfterMs = spend(1);
    if (retryAfterMs > 0) return fault("message_over_budget", raw, position, { retryAfterMs });
    if (!isBusy) return start(raw, position);
    const size = wire.sizeOf(raw);
    if (size > bounds.maxBytes) return fault("message_too_long", raw, position);
    const isFull = waiting.length >= maxWaiting || waitingBytes + size > 4 * bounds.maxBytes;
    if (isFull) return fault("messages_waiting", raw, position);
    waiting.push({ raw, position, size });
    waitingBytes += size;
  };

  function isGone(): boolean {
    return isOver || wire.isLeaving();
  }

  /** How long to wait until there is enough, in milliseconds; 0 where it was taken. */
  function spend(cost: number): number {
    if (budget === undefined) return 0;
    const { isAllowed, retryAfterMs, fullAt } = takeUnits(budgetFullAt, now(), budget, cost);
    budgetFullAt = fullAt;
    return isAllowed ? 0 : retryAfterMs;
  }

  function start(raw: Raw, at: number): void {
    name = undefined;
    let done: unknown;
    try {
      done = handle(raw, at);
      // A `then` that is a getter may throw.
      if (!isPromiseLike(done)) return;
    } catch (error) {
      return fail(error, raw, at);
    }
    isBusy = true;
    void new Promise((adopt) => adopt(done))
      .catch((error: unknown) => fail(error, raw, at))
      .then(goOn);
  }

  function goOn(): void {
    isBusy = false;
    while (!isBusy) {
      const next = isGone() ? undefined : waiting.shift();
      if (next === undefined) break;
      waitingBytes -= next.size;
      start(next.raw, next.position);
    }
    if (isGone()) waiting.length = 0;
  }

  function handle(raw: Raw, at: number): MaybePromise<unknown> {
    const found = wire.read(raw);
    if (typeof found === "string") return fault(found, raw, at);
    const { type, data } = found;
    ({ name } = found);
    const of = found.name;
    if (type.cost > 1) {
      const retryAfterMs = spend(type.cost - 1);
      if (retryAfterMs > 0) return fault("message_over_budget", raw, at, { of, retryAfterMs });
    }
    return after(type.allow(connection as never), (isAllowed) => {
      if (isAllowed !== true) return fault("message_not_allowed", raw, at, { of });
      return after(type.validate(data), (checked) => {
        if (!("value" in checked)) {
          return fault("message_invalid", raw, at, { of, paths: checked.paths() });
        }
        const { value } = checked;
        if (type.allowData === undefined) return run(found, value, raw, at);
        return after(type.allowData(connection as never, value as never), (isAllowedWith) =>
          isAllowedWith === true
            ? run(found, value, raw, at)
            : fault("message_not_allowed", raw, at, { of }),
        );
      });
    });
  }

  function run(found: Found, value: unknown, raw: Raw, at: number): unknown {
    // Who has left meanwhile has nothing done any more.
    return isGone() ? undefined : wire.handle(found, value as never, raw, at);
  }

  function fail(error: unknown, raw: Raw, at: number): void {
    report(error, at);
    fault("message_failed", raw, at, { of: name });
  }

  function fault(code: MessageErrorCode, raw: Raw, at: number, details: Details = {}): void {
    if (isGone()) return;
    const { of: type, retryAfterMs, paths = [] } = details;
    const policy = policyFor({ code, type, position: at, retryAfterMs, paths }, at);
    // What failed here is not the client's fault.
    if (code !== "message_failed" && !isTolerated()) return close("messages_faulty");
    // RFC 6455 §8.1: text that is none fails the connection.
    if (policy === "close" || code === "text_malformed") return close(code);
    if (policy === "ignore") return;
    const error = {
      [terms.typeKey]: "error",
      code,
      title: messageErrors[code].title,
      position: at,
      ...(type !== undefined && { of: type }),
      ...(retryAfterMs !== undefined && { retryAfterMs: Math.ceil(retryAfterMs) }),
      ...(terms.showPaths && paths.length > 0 && { paths }),
    };
    try {
      wire.answer(error, raw);
    } catch (thrown) {
      report(thrown, at);
    }
  }

  function policyFor(found: MessageFault, at: number): FaultPolicy {
    try {
      const policy = terms.onFault(Object.freeze(found), connection);
      return policy === "answer" || policy === "ignore" ? policy : "close";
    } catch (error) {
      report(error, at);
      return "close";
    }
  }

  function isTolerated(): boolean {
    const { isAllowed, fullAt } = takeUnits(faultsFullAt, now(), terms.faults);
    faultsFullAt = fullAt;
    return isAllowed;
  }

  function close(code: MessageErrorCode): void {
    isOver = true;
    waiting.length = 0;
    wire.close(messageErrors[code].closeCode, code);
  }

  /** Recording must not decide about connections. */
  function report(error: unknown, at: number): void {
    const place = { type: name, position: at, connection };
    new Promise((adopt) => adopt(terms.onError(error, place))).catch(() => undefined);
  }
}

interface Details {
  readonly of?: string | undefined;
  readonly retryAfterMs?: number;
  readonly paths?: readonly string[];
}

/** Synchronous stays synchronous. */
function after<Value>(
  value: MaybePromise<Value>,
  next: (value: Value) => unknown,
): MaybePromise<unknown> {
  return isPromiseLike(value)
    ? new Promise<Value>((adopt) => adopt(value)).then(next)
    : next(value);
}
