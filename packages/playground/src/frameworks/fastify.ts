import { firmshake, guard } from "@firmshake/fastify";
import makeApp, { type RouteHandler } from "fastify";
import type { Framework } from "./framework.ts";

export const fastify: Framework = {
  title: "Fastify",
  guard,
  serve: async (server, { guards, recognise, pages, gate }) => {
    const app = makeApp({ serverFactory: (handler) => server.on("request", handler) });
    // Bodies are read by the pages.
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", (_request, _payload, done) => done(null));
    const page: RouteHandler = (request, reply) => {
      reply.hijack();
      pages(request.raw, reply.raw);
    };
    app.addHook("onRequest", async ({ raw }) => recognise(raw));
    if (gate !== undefined) await app.register(firmshake, gate);
    for (const [path, made] of Object.entries(guards)) {
      app.all(path, { config: { firmshake: made } }, page);
    }
    app.all("/*", page);
    await app.ready();
    return gate && app.firmshake;
  },
};
