import { readBounded } from "../fetch/bounded-text.ts";
import { UnusableAnswer } from "../fetch/unusable-answer.ts";

/** How JSON is asked for. */
export interface JsonRequest {
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal;
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** The media type that the answer must have. Default: it is not looked at. */
  readonly mediaType?: string;
}

const maxAnswerBytes = 1 << 20;

/**
 * The JSON that a URL answers with, read within bounds and without following redirects, which could lead anywhere.
 *
 * @throws {@link UnusableAnswer}, and whatever `fetch` rejects with.
 */
export async function fetchJson(uri: URL, request: JsonRequest): Promise<unknown> {
  const { fetch: ask, mediaType, ...init } = request;
  const response = await ask(uri, { ...init, redirect: "error" });
  const wrong = complaintOf(response, mediaType);
  if (wrong !== undefined) {
    await response.body?.cancel();
    throw wrong;
  }
  const text = await readBounded(response, maxAnswerBytes);
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse shows a piece of the text.
    throw new UnusableAnswer("The answer is no JSON.");
  }
}

/** What an error may say in logs: of foreign ones the name alone. */
export const failureOf = (error: unknown): string =>
  error instanceof UnusableAnswer
    ? error.message
    : error instanceof Error
      ? error.name
      : "unknown error";

function complaintOf(
  { status, headers }: Response,
  mediaType: string | undefined,
): UnusableAnswer | undefined {
  if (status !== 200) return new UnusableAnswer(`The answer has the status ${status}.`, status);
  if (mediaType === undefined) return undefined;
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  return type.trim().toLowerCase() === mediaType
    ? undefined
    : new UnusableAnswer(`The answer is no ${mediaType}.`);
}
