import { attach, type GuardMiddleware, guard, handOver } from "@firmshake/express";
import makeApp from "express";
import type { Framework } from "./framework.ts";

export const express: Framework = {
  title: "Express",
  guard,
  serve: async (server, { guards, recognise, pages, gate }) => {
    const app = makeApp();
    app.disable("x-powered-by");
    app.use((request, _response, next) => {
      recognise(request);
      next();
    });
    for (const [path, made] of Object.entries(guards)) app.all(path, made as GuardMiddleware);
    // Pages are for ordinary requests: an upgrade that found no guard is refused by the gate, and not by their 404.
    app.use(handOver);
    app.use((request, response) => pages(request, response));
    server.on("request", app);
    return gate && attach(server, app, gate);
  },
};
