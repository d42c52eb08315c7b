import type { Server } from "node:net";
import { ConfigError, type Guard } from "@firmshake/core";
import { isPromiseLike } from "@firmshake/core/gate";
import { type Gate, type GateOptions, openGate } from "./gate.ts";
import { explainRoutes, type Routes, routesHandler } from "./routes.ts";
import { rulingOf, type UpgradeHandler } from "./ruling.ts";

/**
 * A server that emits upgrades: of `node:http`, `node:https`, or `node:http2`, with `allowHTTP1` or with WebSockets over HTTP/2
 * (RFC 8441, `settings: { enableConnectProtocol: true }`).
 */
export type Attachable = Server;

/** What decides: one guard for every path, a guard for each, or a framework's handler. */
export type Policy = Guard | Routes | UpgradeHandler;

/**
 * Puts a gate in front of every WebSocket library on the server: from here on each upgrade is held until the policy has decided, then
 * refused by an HTTP answer or handed over untouched. Libraries may be added before or after. Upgrades to a path without a guard are
 * refused. WebSockets that come over HTTP/2 reach the libraries as the upgrades that they know.
 *
 * What was handed over is the libraries' to answer, whenever they get to it. With one guard for every path that includes paths that none of
 * them serves, where perhaps nobody does: name the paths.
 *
 * @throws {@link ConfigError} for what is no server or no policy.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { attach, guard, origin } from "@firmshake/node";
 * import { WebSocketServer } from "ws";
 *
 * const server = createServer();
 * attach(server, { "/chat": guard(origin(["https://app.example.com"])) });
 * new WebSocketServer({ server }).on("connection", (socket) => socket.send("Welcome."));
 * ```
 */
export function attach(server: Attachable, policy: Policy, options: GateOptions = {}): Gate {
  refuseNoServer(server);
  const { handler, explain } = readPolicy(policy);
  return openGate(server, handler, explain, options);
}

function refuseNoServer(server: unknown): void {
  const { emit, listenerCount, listen, address } = (server ?? {}) as Partial<Server>;
  const isServer = [emit, listenerCount, listen, address].every((one) => typeof one === "function");
  if (isServer && typeof server === "object") return;
  const advice =
    typeof server === "function" || typeof listen === "function"
      ? "That is an app; give the server that app.listen() or createServer(...) returns."
      : "Give the http.Server that the WebSocket library is on.";
  throw new ConfigError(
    "ERR_FIRMSHAKE_SERVER_INVALID",
    `attach: the first argument is no server. ${advice}`,
  );
}

function readPolicy(policy: Policy): { handler: UpgradeHandler; explain: () => string } {
  if (isGuard(policy)) {
    return { handler: guardHandler(policy), explain: policy.explain };
  }
  if (typeof policy === "function") {
    return { handler: policy, explain: () => "decided by the application's own stack" };
  }
  if (typeof policy === "object" && policy !== null) {
    return { handler: routesHandler(policy), explain: () => explainRoutes(policy) };
  }
  throw new ConfigError(
    "ERR_FIRMSHAKE_ROUTE_INVALID",
    `attach: the second argument must be a guard(...) or { "/path": guard(...) }.`,
  );
}

function isGuard(policy: Policy): policy is Guard {
  return typeof (policy as Partial<Guard> | null | undefined)?.decide === "function";
}

function guardHandler(guard: Guard): UpgradeHandler {
  return ({ handshake }) => {
    const verdict = guard.decide(handshake);
    return isPromiseLike(verdict) ? verdict.then(rulingOf) : rulingOf(verdict);
  };
}
