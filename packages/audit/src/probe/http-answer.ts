/** Status line and header lines of an HTTP/1.1 answer (RFC 9112 §4). */
export interface AnswerHead {
  readonly statusLine: string;
  readonly status: number;
  /** As they stand, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** More lines than any answer to a handshake has. */
const maxHeaderLines = 256;

/** Whether what has arrived can still become an HTTP answer. */
export function isHttpSoFar(bytes: Buffer): boolean {
  const expected = "HTTP/1.";
  const length = Math.min(bytes.length, expected.length);
  return bytes.toString("latin1", 0, length) === expected.slice(0, length);
}

/** Reads an answer's head, by the letter: undefined where it is none. */
export function parseAnswerHead(text: string): AnswerHead | undefined {
  const [statusLine = "", ...lines] = text.split("\r\n", maxHeaderLines + 2);
  if (lines.length > maxHeaderLines) return undefined;
  const match = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(statusLine);
  if (match === null) return undefined;
  const headers: (readonly [string, string])[] = [];
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0));
    if (!/^[!#$%&'*+\-.^_`|~\w]+$/.test(name)) return undefined;
    headers.push([name, line.slice(colon + 1).trim()]);
  }
  return { statusLine, status: Number(match[1]), headers };
}

/** The values of one header, joined as RFC 9110 §5.3 allows; undefined where there is none. */
export function headerOf(
  head: Pick<AnswerHead, "headers"> | undefined,
  name: string,
): string | undefined {
  const values = (head?.headers ?? [])
    .filter(([one]) => one.toLowerCase() === name)
    .map(([, value]) => value);
  return values.length === 0 ? undefined : values.join(", ");
}

/** The tokens of a list header, in lower case. */
export const tokensOf = (value: string | undefined): readonly string[] =>
  (value ?? "").split(",").map((token) => token.trim().toLowerCase());
