import type { IncomingMessage, ServerResponse } from "node:http";
import { type Attachable, ConfigError, type Gate, type GateOptions } from "@firmshake/node";
import { attachWalk, walkThrough } from "@firmshake/node/adapter";

/** What Express's `app` is, as far as it is used: a request handler that hands on what it did not answer. */
export type App = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown;

/**
 * Puts a gate in front of every WebSocket library on the server. From here on each upgrade walks the application's own stack, so that
 * sessions, Passport, Helmet and whatever else stands before a guard runs on upgrades too. Upgrades to a path without a guard are refused.
 *
 * The app's `trust proxy` setting is not used: it believes the leftmost address in some of its forms. Say which proxies there are with
 * `trustProxy`.
 *
 * @throws {@link ConfigError} for what is no server or no app.
 *
 * @example
 * ```ts
 * import express from "express";
 * import { attach, guard, origin } from "@firmshake/express";
 * import { WebSocketServer } from "ws";
 *
 * const app = express();
 * app.get("/chat", guard(origin(["https://app.example.com"])));
 * const server = app.listen(0);
 * const gate = attach(server, app, { trustProxy: ["loopback"] });
 * new WebSocketServer({ server }).on("connection", (socket) => socket.send("Welcome."));
 * gate.close();
 * server.close();
 * ```
 */
export function attach(server: Attachable, app: App, options: GateOptions = {}): Gate {
  if (typeof app !== "function") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_SERVER_INVALID",
      "attach: the second argument must be the Express app: attach(app.listen(8080), app).",
    );
  }
  const handler = walkThrough((walk) => {
    app(walk.request, walk.response as ServerResponse, (error) => {
      if (error === undefined || error === null) walk.end();
      else walk.answerWith(error);
    });
  });
  const { enabled } = app as { enabled?: (setting: string) => boolean };
  const isTrusting = enabled?.call(app, "trust proxy") === true;
  return attachWalk(server, handler, options, isTrusting ? '"trust proxy"' : undefined);
}
