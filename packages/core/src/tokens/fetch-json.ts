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

/** An answer that is not what was asked for. Its message is fixed text, fit for logs. */
export class UnusableAnswer extends Error {
  override readonly name: string = "UnusableAnswer";
  /** Of the HTTP answer, where it is what is wrong. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
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
  const text = await readBounded(response);
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

/**
 * What the function brings in time; its signal aborts when the time is over, or by the controller. Also ends then where a `fetch` that was given
 * does not look at its signal.
 */
export function withinTime<Value>(
  timeoutMs: number,
  run: (signal: AbortSignal) => Promise<Value>,
  controller: AbortController = new AbortController(),
): Promise<Value> {
  const { signal } = controller;
  const time = AbortSignal.timeout(timeoutMs);
  const end = (): void => controller.abort(time.reason);
  time.addEventListener("abort", end, { once: true });
  return new Promise<Value>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    run(signal).then(resolve, reject);
  }).finally(() => time.removeEventListener("abort", end));
}

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

async function readBounded({ body }: Response): Promise<string> {
  const reader = body?.getReader();
  if (reader === undefined) return "";
  try {
    return await readText(reader);
  } catch (error) {
    // Nobody reads the rest, which may have no end.
    reader.cancel().catch(() => undefined);
    throw error;
  }
}

async function readText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > maxAnswerBytes) throw new UnusableAnswer("The answer is too large.");
    text += decoder.decode(value, { stream: true });
  }
}
