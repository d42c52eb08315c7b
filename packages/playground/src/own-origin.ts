import type { RequestHandler } from "express";

/** Answers to the server's own name alone; `localhost` is led to it, so that the page has one origin and not two. */
export function ownHost(origin: string): RequestHandler {
  const { host, port } = new URL(origin);
  return function ownHost(request, response, next) {
    const asked = request.headers.host;
    if (asked === host) return next();
    if (asked === `localhost:${port}` && request.method === "GET") {
      response.redirect(302, `${origin}${request.path}`);
      return;
    }
    response.status(421).end();
  };
}

/** Refuses what pages of other origins ask for. Browsers name the origin on every request that is not a plain read of their own. */
export function ownPagesOnly(origin: string): RequestHandler {
  return function ownPagesOnly(request, response, next) {
    const { origin: asking, "sec-fetch-site": site = "same-origin" } = request.headers;
    if ((asking === undefined || asking === origin) && site === "same-origin") return next();
    response.status(403).end();
  };
}
