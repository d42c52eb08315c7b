import { attach, guard, handOver } from "@firmshake/express";
import makeApp from "express";
import type { Framework } from "./framework.ts";

export const express: Framework = {
  title: "Express",
  serve: async (server, { policy, pages, gate }) => {
    const app = makeApp();
    app.disable("x-powered-by");
    for (const [path, options] of Object.entries(policy)) app.all(path, guard(options));
    // Pages are for ordinary requests: an upgrade that found no guard is refused by the gate, and not by their 404.
    app.use(handOver);
    app.use((request, response) => pages(request, response));
    server.on("request", app);
    return gate && attach(server, app, gate);
  },
};
