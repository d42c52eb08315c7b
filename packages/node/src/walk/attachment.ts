import type { IncomingMessage } from "node:http";
import { isAttached } from "../gate.ts";

/** How long after the first guard there may be no gate before it is said, in milliseconds. */
const patienceMs = 10_000;

let isFulfilled = false;
let hasWarned = false;
let timer: NodeJS.Timeout | undefined;

/** A guard was made: without a gate it guards nothing, since upgrades never reach middleware by themselves. */
export function expectAttach(): void {
  if (isFulfilled || timer !== undefined) return;
  timer = setTimeout(warn, patienceMs);
  timer.unref();
}

export function fulfilAttach(): void {
  isFulfilled = true;
  clearTimeout(timer);
}

/** An ordinary request came by a guard: its server is up, and should have a gate. */
export function noticeOrdinaryRequest(request: IncomingMessage): void {
  if (hasWarned) return;
  const { server } = request.socket as { readonly server?: object };
  if (server !== undefined && !isAttached(server)) warn();
}

function warn(): void {
  if (hasWarned) return;
  hasWarned = true;
  process.emitWarning(
    "A guard(...) is mounted, but its server has no gate, so WebSocket upgrades go past it. Call attach(server, app) with the server that app.listen() returns.",
    { code: "FIRMSHAKE_NOT_ATTACHED" },
  );
}
