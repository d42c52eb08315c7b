import type { IncomingMessage, ServerResponse } from "node:http";
import type { Attachable, Gate, GateOptions } from "@firmshake/node";
import { attachWalk, expectApp, type Walk, walkThrough } from "@firmshake/node/adapter";
import type { KoaMiddleware } from "./context.ts";
import { handOver, isAtEnd } from "./hand-over.ts";

/** What Koa's `app` is, as far as it is used. */
export interface App {
  middleware: unknown[];
  callback(): (request: IncomingMessage, response: ServerResponse) => unknown;
  emit(event: "error", error: Error, ctx: unknown): unknown;
  readonly proxy?: boolean;
}

/**
 * Puts a gate in front of every WebSocket library on the server. From here on each upgrade walks the application's own stack with a real
 * context, so that sessions, koa-passport and whatever else stands before a guard runs on upgrades too; it is handed over when the stack has
 * unwound. Upgrades to a path without a guard are refused. `app.proxy` is not used, since it believes the leftmost address: say which
 * proxies there are with `trustProxy`.
 *
 * @throws {@link ConfigError} for what is no server or no app, or a server whose HTTP/2 streams could not be guarded.
 *
 * @example
 * ```ts
 * import { attach, guard, origin } from "@firmshake/koa";
 * import Koa from "koa";
 *
 * const app = new Koa().use(guard(origin(["https://app.example.com"])));
 * const server = app.listen(0);
 * attach(server, app, { trustProxy: ["loopback"] });
 * server.close();
 * ```
 */
export function attach(server: Attachable, app: App, options: GateOptions = {}): Gate {
  expectApp("Koa", typeof app?.callback === "function" && Array.isArray(app.middleware));
  const handler = walkThrough((walk) =>
    callbackFor(walk, app)(walk.request, walk.response as ServerResponse),
  );
  return attachWalk(server, handler, options, app.proxy === true ? '"proxy"' : undefined);
}

/** Koa's own way in, with a first and a last middleware of ours. */
function callbackFor(walk: Walk, app: App): ReturnType<App["callback"]> {
  const own = app.middleware;
  app.middleware = [concluding(walk, app), ...own, handOver];
  try {
    return app.callback();
  } finally {
    app.middleware = own;
  }
}

/** Lets Koa answer if somebody in the stack has answered, and ends the walk otherwise. */
const concluding =
  (walk: Walk, app: App): KoaMiddleware =>
  async (ctx, next) => {
    const { res } = ctx;
    const { socket } = res;
    // Koa calls this when the socket closes, too, and a client that leaves is no error of the app.
    ctx.onerror = (error) => {
      if (!error || (error === socket?.errored && error !== res.errored)) return;
      app.emit("error", walk.answerWith(error), ctx);
    };
    await next().catch((error) => Promise.reject(error || "nothing"));
    if (!isAtEnd(walk, ctx) && walk.refusal === undefined) return;
    ctx.respond = false;
    walk.end();
  };
