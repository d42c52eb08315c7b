import type { IncomingMessage, ServerResponse } from "node:http";
import { walkOf } from "@firmshake/node/adapter";

/**
 * Middleware that ends the walk of an upgrade: it is handed over if the guards before it have allowed it, and refused if there was none.
 * What stands behind it is for ordinary requests, which pass it untouched.
 *
 * @example
 * ```ts
 * import express from "express";
 * import { guard, handOver } from "@firmshake/express";
 *
 * const app = express();
 * app.use("/socket.io", guard(), handOver);
 * app.use((_request, response) => response.status(404).send("Not found"));
 * ```
 */
export function handOver(
  request: IncomingMessage,
  _response: ServerResponse,
  next: (error?: unknown) => void,
): void {
  const walk = walkOf(request);
  if (walk === undefined) next();
  else walk.end();
}
