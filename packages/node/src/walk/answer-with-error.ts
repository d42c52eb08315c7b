import { type ServerResponse, STATUS_CODES } from "node:http";

/** What Express's own last handler does with an error that nobody handled, without its page and stack. */
export function answerWithError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, statusCode, headers, expose, message } = Object(error) as Partial<HttpError>;
  const code = [status, statusCode].find(isErrorStatus) ?? 500;
  const title = STATUS_CODES[code] ?? "Error";
  for (const name of describingHeaders) response.removeHeader(name);
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  response.statusCode = code;
  response.statusMessage = title;
  // Express puts what the client sent into messages of its own, so only what is meant for the client goes there.
  const detail = expose === true && typeof message === "string" ? { detail: message } : {};
  const body = JSON.stringify({ title, status: code, ...detail });
  response.setHeader("Content-Type", "application/problem+json");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}

/** The convention of http-errors, which Express follows. */
interface HttpError {
  readonly status: unknown;
  readonly statusCode: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly expose: boolean;
  readonly message: string;
}

const isErrorStatus = (status: unknown): status is number =>
  Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;

/** Of the answer that did not come to be. */
const describingHeaders = [
  "Content-Encoding",
  "Content-Language",
  "Content-Range",
  "ETag",
  "Last-Modified",
  "Transfer-Encoding",
];
