import type { EventEmitter } from "node:events";

/** Whether what is done emits an event there, at once. The event goes no further, and what is done otherwise is not waited for. */
export function emitsOn(emitter: EventEmitter, act: () => Promise<unknown>): boolean {
  const { emit } = emitter;
  let isHere = false;
  emitter.emit = () => {
    isHere = true;
    return true;
  };
  act().catch(() => undefined);
  emitter.emit = emit;
  return isHere;
}
