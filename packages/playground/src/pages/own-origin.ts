import { answer, type Filter } from "./handler.ts";

/** Answers to the server's own name alone; `localhost` is led to it, so that the page has one origin and not two. */
export function ownHost(origin: string): Filter {
  const { host, port } = new URL(origin);
  return ({ headers, method, url = "/" }, response) => {
    if (headers.host === host) return true;
    if (headers.host === `localhost:${port}` && method === "GET") {
      const [path] = url.split("?");
      response.setHeader("Location", `${origin}${path}`);
      answer(response, 302);
    } else {
      answer(response, 421);
    }
    return false;
  };
}

/** Refuses what pages of other origins ask for. Browsers name the origin on every request that is not a plain read of their own. */
export function ownPagesOnly(origin: string): Filter {
  return ({ headers }, response) => {
    const { origin: asking, "sec-fetch-site": site = "same-origin" } = headers;
    if ((asking === undefined || asking === origin) && site === "same-origin") return true;
    answer(response, 403);
    return false;
  };
}
