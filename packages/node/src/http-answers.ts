import type { IncomingMessage, ServerResponse } from "node:http";
import { type Answer, allowWith, type Check, type HeaderLine, refuse } from "@firmshake/core";
import { defineCheck, ranks } from "@firmshake/core/gate";

/** Browsers send it with every POST; without it nobody could tell whose page asks. Behind the check of origins, it is one that may. */
export const page: Check<{ readonly page: string }> = defineCheck(
  { name: "page", summary: "", rank: ranks.header },
  ({ headers }) => {
    const from = headers.only("origin");
    return from === undefined ? refuse("origin_missing") : allowWith({ page: from });
  },
);

/** RFC 9457 §4.2.1: nothing more than the status says. */
export const onlyPost: Answer = Object.freeze({
  status: 405,
  headers: [
    ["Allow", "POST, OPTIONS"],
    ["Content-Type", "application/problem+json"],
    ["Cache-Control", "no-store"],
  ] as const,
  body: JSON.stringify({ type: "about:blank", title: "Method Not Allowed", status: 405 }),
});

/** Whether a browser asks if a page of another origin may (Fetch §4.8). */
export const asksBefore = ({ method, headers }: IncomingMessage): boolean =>
  method === "OPTIONS" && "origin" in headers && "access-control-request-method" in headers;

/** What the client has asked for, where a router has cut the path down to its own part. */
export function targetOf(source: object): string | undefined {
  const { originalUrl, url } = source as { readonly originalUrl?: unknown; readonly url?: unknown };
  return [originalUrl, url].find((one) => typeof one === "string") as string | undefined;
}

/**
 * For pages that may ask alone (Fetch §3.2.3).
 *
 * @param allowedHeaders - For preflights: what a page may send. The names are ours, never what was asked for.
 */
export function corsHeaders(
  from: string | undefined,
  allowedHeaders: string | undefined,
): readonly HeaderLine[] {
  const vary: HeaderLine = ["Vary", "Origin"];
  if (from === undefined) return [vary];
  return [
    vary,
    ["Access-Control-Allow-Origin", from],
    ["Access-Control-Allow-Credentials", "true"],
    ...((allowedHeaders !== undefined
      ? [
          ["Access-Control-Allow-Methods", "POST"],
          ["Access-Control-Allow-Headers", allowedHeaders],
          ["Access-Control-Max-Age", "600"],
        ]
      : [
          ["Access-Control-Expose-Headers", "dpop-nonce, retry-after, www-authenticate"],
        ]) as readonly HeaderLine[]),
  ];
}

/** With Node's own response, or Express's. */
export function send(response: ServerResponse, { status, headers, body }: Answer): void {
  // The client has left, or somebody else has answered.
  if (response.headersSent || response.destroyed || response.writableEnded) return;
  response.statusCode = status;
  for (const [name, value] of headers) {
    if (name === "Vary") response.appendHeader(name, value);
    else response.setHeader(name, value);
  }
  response.end(body);
}
