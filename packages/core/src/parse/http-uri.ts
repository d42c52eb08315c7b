import { parseAuthority } from "./authority.ts";
import { defaultPorts } from "./serialized-origin.ts";

/** WebSocket URIs name the resource that the handshake's `GET` asks for (RFC 6455 §3, §4.1). */
const schemes: Readonly<Record<string, string>> = {
  http: "http",
  https: "https",
  ws: "http",
  wss: "https",
};

/**
 * The normal form of an absolute `http`, `https`, `ws` or `wss` URI without query and fragment, by RFC 3986 §6.2.2 and §6.2.3; WebSocket
 * schemes become those of HTTP. Undefined for everything else: userinfo, a query, letters that no URI has.
 */
export function normalHttpUri(text: string): string | undefined {
  const colon = text.indexOf("://");
  const written = text.slice(0, Math.max(colon, 0)).toLowerCase();
  const scheme = Object.hasOwn(schemes, written) ? (schemes[written] as string) : undefined;
  if (scheme === undefined) return undefined;
  const slash = text.indexOf("/", colon + 3);
  const pathStart = slash === -1 ? text.length : slash;
  const authority = parseAuthority(text.slice(colon + 3, pathStart));
  const path = normalPath(text.slice(pathStart));
  if (authority === undefined || path === undefined) return undefined;
  const { host, port = defaultPorts[scheme] } = authority;
  return `${scheme}://${host}${port === defaultPorts[scheme] ? "" : `:${port}`}${path}`;
}

const segmentLetters =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@";
const unreserved: ReadonlySet<string> = new Set(segmentLetters.slice(0, 66));
const isPathCode = new Uint8Array(128);
for (const letter of `${segmentLetters}/`) isPathCode[letter.charCodeAt(0)] = 1;

/** The path in normal form; undefined where there are letters that RFC 3986 §3.3 does not know. */
function normalPath(path: string): string | undefined {
  let decoded = "";
  for (let index = 0; index < path.length; index++) {
    const letter = path.charAt(index);
    if (letter === "%") {
      const octet = normalOctet(path.slice(index + 1, index + 3));
      if (octet === undefined) return undefined;
      decoded += octet;
      index += 2;
    } else if (isPathCode[letter.charCodeAt(0)] === 1) decoded += letter;
    else return undefined;
  }
  return withoutDotSegments(decoded);
}

/** Encoded letters that need no encoding are decoded, the others are spelled in capitals (RFC 3986 §6.2.2.1, §6.2.2.2). */
function normalOctet(digits: string): string | undefined {
  if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
  const letter = String.fromCharCode(Number.parseInt(digits, 16));
  return unreserved.has(letter) ? letter : `%${digits.toUpperCase()}`;
}

/** RFC 3986 §5.2.4, for a path that is empty or begins with a slash. */
function withoutDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  segments.forEach((segment, index) => {
    const isDots = segment === "." || segment === "..";
    if (segment === "..") kept.pop();
    if (!isDots) kept.push(segment);
    else if (index === segments.length - 1) kept.push("");
  });
  return `/${kept.join("/")}`;
}
