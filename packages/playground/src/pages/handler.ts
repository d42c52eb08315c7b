import type { IncomingMessage, ServerResponse } from "node:http";
import findMyWay from "find-my-way";

/** A request handler as Node's own server has it, so that every framework can be given it. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/** The handler of a route, with the parameters of its path. */
export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  parameters: Readonly<Record<string, string | undefined>>,
) => unknown;

/** Stands before handlers. Returns whether the request goes on; where it does not, it has been answered. */
export type Filter = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Handlers by method and path. */
export type Routes = Readonly<Record<`${"GET" | "POST"} /${string}`, RouteHandler>>;

/** Sends each request to its route, and answers 404 to what has none. */
export function routed(routes: Routes): Handler {
  const router = findMyWay({ defaultRoute: (_request, response) => answer(response, 404) });
  for (const [route, handler] of Object.entries(routes)) {
    const [method, path] = route.split(" ") as ["GET" | "POST", string];
    router.on(method, path, async (request, response, parameters) => {
      try {
        await handler(request, response, parameters);
      } catch {
        if (response.headersSent) response.destroy();
        else answer(response, 500);
      }
    });
  }
  return (request, response) => router.lookup(request, response);
}

/** Puts filters before a handler, the first outermost. */
export function filtered<Rest extends readonly unknown[]>(
  filters: readonly Filter[],
  handler: (request: IncomingMessage, response: ServerResponse, ...rest: Rest) => unknown,
): (request: IncomingMessage, response: ServerResponse, ...rest: Rest) => unknown {
  return (request, response, ...rest) =>
    filters.every((passes) => passes(request, response)) && handler(request, response, ...rest);
}

/** Answers without a body. */
export function answer(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

export function answerJson(
  response: ServerResponse,
  value: unknown,
  type = "application/json",
): void {
  response.statusCode = 200;
  response.setHeader("Content-Type", type);
  response.end(JSON.stringify(value));
}

/** The body as JSON; undefined for what is none, or is too long. */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  // To its end even where it is too long, so that the answer finds its way.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= maxBytes) chunks.push(chunk);
  }
  try {
    return length > maxBytes ? undefined : JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
