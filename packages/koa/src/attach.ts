import type { IncomingMessage, ServerResponse } from "node:http";
import { format } from "node:util";
import { type Attachable, ConfigError, type Gate, type GateOptions } from "@firmshake/node";
import { attachWalk, type Walk, walkOf, walkThrough } from "@firmshake/node/adapter";
import { handOver, isAtEnd, type WalkedContext } from "./hand-over.ts";

/** What Koa's `app` is, as far as it is used. */
export interface App {
  middleware: unknown[];
  callback(): (request: IncomingMessage, response: ServerResponse) => unknown;
  emit(event: "error", error: unknown, ctx: unknown): unknown;
  readonly proxy?: boolean;
}

/**
 * Puts a gate in front of every WebSocket library on the server. From here on each upgrade walks the application's own stack, with a real
 * context, so that sessions, koa-passport, a router and whatever else stands before a guard runs on upgrades too. It is handed over when
 * the stack has unwound. Upgrades to a path without a guard are refused.
 *
 * `app.proxy` is not used: it believes the leftmost address. Say which proxies there are with `trustProxy`.
 *
 * @throws {@link ConfigError} for what is no server or no app, or a server whose HTTP/2 streams could not be guarded.
 *
 * @example
 * ```ts
 * import { attach, guard, origin } from "@firmshake/koa";
 * import Koa from "koa";
 * import { WebSocketServer } from "ws";
 *
 * const app = new Koa();
 * app.use(guard(origin(["https://app.example.com"])));
 * const server = app.listen(0);
 * const gate = attach(server, app, { trustProxy: ["loopback"] });
 * new WebSocketServer({ server }).on("connection", (socket) => socket.send("Welcome."));
 * gate.close();
 * server.close();
 * ```
 */
export function attach(server: Attachable, app: App, options: GateOptions = {}): Gate {
  const { callback, middleware } = (app ?? {}) as Partial<App>;
  if (typeof callback !== "function" || !Array.isArray(middleware)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_SERVER_INVALID",
      "attach: the second argument must be the Koa app: attach(app.listen(8080), app).",
    );
  }
  let walked: { readonly length: number; readonly enter: ReturnType<App["callback"]> } | undefined;
  const handler = walkThrough(({ request, response }) => {
    const { length } = app.middleware;
    if (walked?.length !== length) walked = { length, enter: callbackForWalks(app) };
    return walked.enter(request, response as ServerResponse);
  });
  return attachWalk(server, handler, options, app.proxy === true ? '"proxy"' : undefined);
}

/** Koa's own way in, between a first and a last middleware of ours. */
function callbackForWalks(app: App): ReturnType<App["callback"]> {
  const own = app.middleware;
  app.middleware = [decideBehind(app), ...own, handOver];
  try {
    return app.callback();
  } finally {
    app.middleware = own;
  }
}

/** Lets Koa answer if somebody in the stack has answered, and ends the walk otherwise. */
const decideBehind = (app: App) =>
  async function firmshake(ctx: WalkedContext, next: () => Promise<unknown>): Promise<void> {
    const walk = walkOf(ctx.req) as Walk;
    const { socket } = ctx.res;
    ctx.onerror = (error) => {
      // Koa calls this at the end of each response, and a client that leaves is no error of the app.
      if (error === undefined || error === null || error === socket?.errored) return;
      walk.answerWith(error);
      const isError = error instanceof Error;
      app.emit("error", isError ? error : new Error(format("non-error thrown: %j", error)), ctx);
    };
    try {
      await next();
    } catch (error) {
      throw error ?? new Error("non-error thrown");
    }
    if (walk.refusal !== undefined) ctx.respond = false;
    else if (isAtEnd(walk, ctx)) {
      ctx.respond = false;
      walk.end();
    }
  };
