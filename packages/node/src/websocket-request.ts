import type { IncomingMessage } from "node:http";

/**
 * Whether the header lines ask for an upgrade to WebSocket, in whatever company and spelling. Lists such as `h2c, websocket` count, so
 * that no library can take for a handshake what was not checked as one.
 */
export function asksForWebSocket(headerLines: readonly string[]): boolean {
  for (let at = 0; at + 1 < headerLines.length; at += 2) {
    const name = headerLines[at] as string;
    if (name.length === 7 && name.toLowerCase() === "upgrade") {
      if ((headerLines[at + 1] as string).toLowerCase().includes("websocket")) return true;
    }
  }
  return false;
}

/**
 * The header lines of a request, as they came. Requests that were made by hand, such as those of @fastify/websocket's `injectWS`, have no
 * raw ones: theirs are read from `headers`, where values may be numbers.
 */
export function headerLinesOf({
  rawHeaders,
  headers,
}: Partial<Pick<IncomingMessage, "rawHeaders" | "headers">>): readonly string[] {
  if (Array.isArray(rawHeaders) && rawHeaders.length > 0) return rawHeaders;
  return Object.entries<unknown>(headers ?? {}).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (isHeaderValue(one) ? [name, String(one)] : [])),
  );
}

const isHeaderValue = (value: unknown): value is string | number =>
  typeof value === "string" || typeof value === "number";
