import { attach, type GuardMiddleware, guard, handOver } from "@firmshake/koa";
import Router from "@koa/router";
import Koa from "koa";
import type { Framework } from "./framework.ts";

export const koa: Framework = {
  title: "Koa",
  guard,
  serve: async (server, { guards, recognise, pages, gate }) => {
    const app = new Koa();
    const router = new Router();
    app.use((ctx, next) => {
      recognise(ctx.req);
      return next();
    });
    for (const [path, made] of Object.entries(guards)) router.all(path, made as GuardMiddleware);
    app.use(router.routes());
    // Pages are for ordinary requests: an upgrade that found no guard is refused by the gate, and not by their 404.
    app.use(handOver);
    app.use((ctx) => {
      ctx.respond = false;
      // Koa begins each answer as a 404.
      ctx.res.statusCode = 200;
      pages(ctx.req, ctx.res);
    });
    server.on("request", app.callback());
    return gate && attach(server, app, gate);
  },
};
