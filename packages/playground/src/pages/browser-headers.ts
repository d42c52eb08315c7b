import type { Filter } from "./handler.ts";

/** What a page may load and whom it may reach; everything else is forbidden. */
export interface PageRights {
  /** Beside its own origin: where its WebSockets may go. */
  readonly connect: readonly string[];
  /** Whose pages it may show in a frame. */
  readonly frames: readonly string[];
  /** Whose pages may show it in a frame. */
  readonly framedBy: readonly string[];
}

/** The headers of every page: a content security policy without any exception for inline code or styles. */
export function browserHeaders({ connect, frames, framedBy }: PageRights): Filter {
  const listOf = (sources: readonly string[]): string =>
    sources.length === 0 ? "'none'" : sources.join(" ");
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${["'self'", ...connect].join(" ")}`,
    `frame-src ${listOf(frames)}`,
    `frame-ancestors ${listOf(framedBy)}`,
    "base-uri 'none'",
    "form-action 'self'",
  ].join("; ");
  return (_request, response) => {
    response.setHeader("Content-Security-Policy", policy);
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Referrer-Policy", "no-referrer");
    response.setHeader("Cache-Control", "no-store");
    return true;
  };
}
