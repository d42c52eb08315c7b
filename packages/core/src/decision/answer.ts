import type { HeaderLine, Refusal } from "./decision.ts";
import type { RefusalCode } from "./refusal-codes.ts";

/** A refusal as an HTTP answer, without the reason phrase. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly HeaderLine[];
  readonly body: string;
}

/**
 * The HTTP answer that a refusal makes: a problem document (RFC 9457) of fixed text, never stored by caches.
 *
 * @example
 * ```ts
 * import { answerOf, refuse } from "@firmshake/core";
 *
 * const { status, body } = answerOf(refuse("origin_denied"));
 * // 403, {"type":"urn:firmshake:refusal:origin_denied","title":"This origin may not connect.","status":403,"code":"origin_denied"}
 * ```
 */
export function answerOf(refusal: Refusal): Answer {
  return {
    status: refusal.status,
    headers: [
      ["Content-Type", "application/problem+json"],
      ["Cache-Control", "no-store"],
      ...refusal.headers,
    ],
    body: bodyOf(refusal),
  };
}

const bodies = new Map<RefusalCode, string>();

/** Without a detail it is the same for each refusal of one code. */
function bodyOf({ code, status, title, detail }: Refusal): string {
  const known = detail === undefined ? bodies.get(code) : undefined;
  if (known !== undefined) return known;
  const type = `urn:firmshake:refusal:${code}`;
  const made = JSON.stringify({ type, title, status, code, detail });
  if (detail === undefined) bodies.set(code, made);
  return made;
}

/**
 * As {@link answerOf}, for runtimes whose servers answer with a `Response`.
 *
 * @example
 * ```ts
 * import { refuse, responseOf } from "@firmshake/core";
 *
 * const response = responseOf(refuse("rate_limited")); // 429 Too Many Requests
 * ```
 */
export function responseOf(refusal: Refusal): Response {
  const { status, headers, body } = answerOf(refusal);
  return new Response(body, { status, headers: headers.map(([name, value]) => [name, value]) });
}
