import { createServer } from "node:http";
import { attach, type GateOptions } from "@firmshake/koa";
import type Router from "@koa/router";
import Koa from "koa";
import { onTestFinished } from "vitest";
import { type WalkedServer, walkedServerOf } from "../support/walked-server.ts";
import { Koa2 } from "./libraries.ts";

/** Both majors, by one table. */
export const majors = [
  { major: "Koa 3", Koa },
  { major: "Koa 2", Koa: Koa2 },
] as const;

/** An app on a server with a gate, and behind it a listener that answers "101" in its own words. */
export function walkedServer(app: Koa, options: GateOptions = {}): Promise<WalkedServer> {
  const server = createServer(app.callback());
  return walkedServerOf(server, attach(server, app, options));
}

/** A router's middleware, for which Koa's own types ask for parameters of the path. */
export const routesOf = (router: Router): Koa.Middleware => router.routes() as Koa.Middleware;

/** The errors that reach an app's own listener, from now on. */
export function errorsOf(app: Koa): unknown[] {
  const errors: unknown[] = [];
  const note = (error: unknown): void => void errors.push(error);
  app.on("error", note);
  onTestFinished(() => void app.off("error", note));
  return errors;
}

/** Several middleware as one, as koa-compose makes it. */
export const composed =
  (...stack: readonly Koa.Middleware[]): Koa.Middleware =>
  (ctx, next) => {
    const dispatch = (at: number): Promise<unknown> => {
      const one = stack[at];
      return Promise.resolve(one === undefined ? next() : one(ctx, () => dispatch(at + 1)));
    };
    return dispatch(0);
  };

/** A stack below a path, as koa-mount puts it there: the path is cut off for it. */
export const mounted =
  (prefix: string, ...stack: readonly Koa.Middleware[]): Koa.Middleware =>
  async (ctx, next) => {
    const { path } = ctx;
    if (!path.startsWith(`${prefix}/`)) return next();
    ctx.path = path.slice(prefix.length);
    await composed(...stack)(ctx, async () => {
      ctx.path = path;
      await next();
      ctx.path = path.slice(prefix.length);
    });
    ctx.path = path;
  };
