import type { FirmSocketOptions } from "./options.ts";

/** Why no connection was tried: as if the server had closed it. */
export class NotSent {
  readonly code: number;
  readonly reason: string;

  constructor(code: number, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

/** With what a connection is opened. */
export interface Credentials {
  readonly url: string;
  readonly protocols: readonly string[];
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
}

/** @throws {@link NotSent}, or whatever the application's functions throw. */
export async function getCredentials(
  url: URL,
  protocols: readonly string[],
  { token, ticket }: FirmSocketOptions,
  signal: AbortSignal,
): Promise<Credentials> {
  const target = new URL(url);
  const given = await token?.();
  const text = typeof given === "object" ? given?.token : given;
  if (token && !text) throw new NotSent(3000, "token_missing");
  if (ticket) {
    const got = typeof ticket === "function" ? await ticket() : await fetchTicket(ticket, signal);
    if (!got) throw new NotSent(3000, "ticket_missing");
    // As text: what else stands in the query keeps its spelling.
    target.search += `${target.search && "&"}ticket=${encodeURIComponent(got)}`;
  }
  return {
    url: target.href,
    protocols: text ? [...protocols, "bearer", text] : protocols,
    expiresAt: typeof given === "object" && given ? Number(given.expiresAt) : undefined,
  };
}

/** A redirection leads to a page to sign in at, which is no ticket. */
async function fetchTicket(url: string | URL, signal: AbortSignal): Promise<string> {
  const answer = await fetch(secureUrl(url, "http"), {
    method: "POST",
    credentials: "same-origin",
    cache: "no-store",
    redirect: "manual",
    signal,
  });
  const { ok, status, headers } = answer;
  if (ok) {
    const isJson = headers.get("content-type")?.includes("json");
    const ticket: unknown = isJson ? (await answer.json())?.ticket : (await answer.text()).trim();
    if (typeof ticket === "string" && ticket) return ticket;
  }
  if (status >= 500 || status === 429 || status === 408) {
    const seconds = secondsIn(headers.get("retry-after") ?? "");
    throw new NotSent(1013, `ticket_refused;retry=${seconds}`);
  }
  throw new NotSent(status === 401 ? 3000 : 3003, "ticket_refused");
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function secondsIn(retryAfter: string): number {
  const seconds = /^\d+$/.test(retryAfter)
    ? Number(retryAfter)
    : Math.ceil((Date.parse(retryAfter) - Date.now()) / 1_000);
  // Not a number, where it is neither.
  return seconds > 0 ? Math.min(seconds, 999_999_999) : 0;
}

/**
 * Resolves a URL as the platform does, and insists on encryption but on this machine.
 *
 * @throws DOMException `SyntaxError` for another scheme or a fragment, TypeError for what is not encrypted.
 */
export function secureUrl(given: string | URL, clear: "ws" | "http"): URL {
  const url = new URL(given, globalThis.location?.href);
  if (clear === "ws") url.protocol = url.protocol.replace("http", "ws");
  if (!new RegExp(`^${clear}s?:$`).test(url.protocol) || url.hash) {
    throw new DOMException(`${clear}s: is expected, without a fragment.`, "SyntaxError");
  }
  if (url.protocol === `${clear}:` && !local.includes(url.hostname)) {
    throw new TypeError(`${url.host}: only ${clear}s: is allowed, but on this machine.`);
  }
  return url;
}

const local: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
