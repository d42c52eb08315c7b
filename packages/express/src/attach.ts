import type { Attachable, Gate, GateOptions } from "@firmshake/node";
import { attach as attachHandler, ConfigError } from "@firmshake/node";
import { fulfilAttach } from "./attachment.ts";
import { type App, walkThrough } from "./walk.ts";

export type { App } from "./walk.ts";

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
  const gate = attachHandler(server, walkThrough(app), options);
  warnOfUnusedTrust(app, options);
  fulfilAttach();
  return gate;
}

/** Whoever told the app of proxies and not the gate would count all clients as one. */
function warnOfUnusedTrust(app: App, { trustProxy }: GateOptions): void {
  const { enabled } = app as { enabled?: (setting: string) => boolean };
  if (trustProxy !== undefined || enabled?.call(app, "trust proxy") !== true) return;
  process.emitWarning(
    `The app has "trust proxy" set, and the gate was not told of any proxy: it takes the proxy for the client. Write attach(server, app, { trustProxy: ["10.0.0.0/8"] }) with your proxies' addresses.`,
    { code: "FIRMSHAKE_TRUST_PROXY_UNUSED" },
  );
}
