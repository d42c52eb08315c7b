import type { IncomingHttpHeaders } from "node:http2";

/** An extended CONNECT (RFC 8441 §4), taken apart. */
export interface ExtendedConnect {
  /** As they came, names and values in turn. */
  readonly pseudoHeaders: readonly string[];
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  /** The other fields, as checks know them from HTTP/1.1: with a Host, and with one Cookie. */
  readonly headerLines: readonly string[];
}

/** Whether a stream asks for another protocol, for one that was offered or for another. */
export const isExtendedConnect = (headers: IncomingHttpHeaders | undefined): boolean =>
  headers?.[":protocol"] !== undefined;

/** Takes the raw lines apart: what Node makes of them keeps one of several values, and does not say so. */
export function readExtendedConnect(rawHeaders: readonly string[]): ExtendedConnect {
  const pseudoHeaders: string[] = [];
  const fields: string[] = [];
  let cookieAt = -1;
  let hasHost = false;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at] as string, rawHeaders[at + 1] as string];
    if (name.startsWith(":")) {
      pseudoHeaders.push(name, value);
    } else if (name === "cookie" && cookieAt !== -1) {
      // RFC 9113 §8.2.3: browsers send each cookie on its own.
      fields[cookieAt] += `; ${value}`;
    } else {
      if (name === "cookie") cookieAt = fields.length + 1;
      if (name === "host") hasHost = true;
      fields.push(name, value);
    }
  }
  const pseudo = (wanted: string): string => pseudoHeaders[pseudoHeaders.indexOf(wanted) + 1] ?? "";
  const authority = pseudo(":authority");
  return {
    pseudoHeaders,
    method: pseudo(":method"),
    target: pseudo(":path"),
    authority,
    headerLines: hasHost ? fields : ["host", authority, ...fields],
  };
}
