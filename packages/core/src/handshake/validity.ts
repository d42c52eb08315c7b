import { type Refusal, refuse } from "../decision/decision.ts";
import { parseAuthority } from "../parse/authority.ts";
import { isHeaderValue, isHttpToken, parseTokenList, trimBlanks } from "../parse/http-token.ts";
import { forwardedOf, type Handshake, hasTrust, progressOf, sourceOf } from "./handshake.ts";
import { HeaderLines } from "./header-lines.ts";
import { refusalEntry } from "./trail.ts";

/**
 * What is wrong with the opening handshake itself, by the letter of RFC 6455 §4.2.1 and RFC 9112 §3, or of RFC 8441 and RFC 9113 §8; of a
 * polling request, by what of that goes for plain HTTP. It is looked at once, before any check, because what reaches a runtime's upgrade
 * event is not yet a WebSocket handshake.
 */
export function openingRefusal(handshake: Handshake): Refusal | undefined {
  const progress = progressOf(handshake);
  if (progress.openingRefusal === undefined) {
    const found =
      handshake.transport === "websocket"
        ? findOpeningRefusal(handshake)
        : findPollingRefusal(handshake);
    progress.openingRefusal = found ?? null;
    if (found !== undefined) progress.trail.push(refusalEntry("handshake", 0, found));
  }
  return progress.openingRefusal ?? undefined;
}

function findOpeningRefusal(handshake: Handshake): Refusal | undefined {
  const { headers } = handshake;
  const { maxHeaderLines, showsConnectionHeader, pseudoHeaders } = sourceOf(handshake);
  if (headers.count >= maxHeaderLines) return tooManyHeaders;
  const transport =
    pseudoHeaders === undefined
      ? upgradeRefusal(handshake, showsConnectionHeader)
      : connectRefusal(handshake, new HeaderLines(pseudoHeaders));
  if (transport !== undefined) return transport;
  if (hasBody(headers)) return body;
  if (!hasOneHost(headers)) return malformed.host;
  const version = headers.only("sec-websocket-version");
  if (version !== "13")
    return headers.all("sec-websocket-version").length > 1 ? malformed.version : wrongVersion;
  // RFC 8441 §5.1: over HTTP/2 the key is not used.
  if (pseudoHeaders === undefined && !isHandshakeKey(headers.only("sec-websocket-key"))) {
    return malformed.key;
  }
  if (headers.all("origin").length > 1) return malformed.origin;
  if (headers.all("authorization").length > 1) return malformed.authorization;
  if (!hasValidProtocols(handshake)) return malformed.protocols;
  return hasTrust(handshake) ? forwardedOf(handshake).refusal : undefined;
}

/** Such a request opens no WebSocket, so it must not speak of one either. */
function findPollingRefusal(handshake: Handshake): Refusal | undefined {
  const { headers, method, httpVersion } = handshake;
  if (headers.count >= sourceOf(handshake).maxHeaderLines) return tooManyHeaders;
  if (method !== "GET" && method !== "POST") return wrongPollingMethod;
  if (httpVersion !== undefined && httpVersion !== "1.1" && httpVersion !== "2.0") {
    return malformed.pollingHttp;
  }
  if (!isPlainPath(handshake.target)) return wrongTarget;
  if (headers.has("upgrade")) return malformed.pollingUpgrade;
  if (headers.has("sec-websocket-protocol")) return malformed.pollingProtocols;
  if (method === "GET" && hasBody(headers)) return body;
  if (!hasOneHost(headers)) return malformed.host;
  if (headers.all("origin").length > 1) return malformed.origin;
  if (headers.all("authorization").length > 1) return malformed.authorization;
  return hasTrust(handshake) ? forwardedOf(handshake).refusal : undefined;
}

function hasOneHost(headers: HeaderLines): boolean {
  const host = headers.only("host");
  return host !== undefined && parseAuthority(host) !== undefined;
}

/** What asks for the WebSocket in HTTP/1.1. */
function upgradeRefusal(handshake: Handshake, showsConnectionHeader: boolean): Refusal | undefined {
  const { method, httpVersion, target, headers } = handshake;
  if (method !== "GET") return wrongMethod;
  if (httpVersion !== undefined && httpVersion !== "1.1") return malformed.http;
  if (!isPlainPath(target)) return wrongTarget;
  if (headers.only("upgrade")?.toLowerCase() !== "websocket") return malformed.upgrade;
  return showsConnectionHeader && !asksForUpgrade(headers) ? malformed.connection : undefined;
}

/** What asks for it in HTTP/2 (RFC 8441 §4 and §5, RFC 9113 §8.2 and §8.3.1). */
function connectRefusal(handshake: Handshake, pseudo: HeaderLines): Refusal | undefined {
  const { target, headers } = handshake;
  const isConnect =
    pseudo.count === 5 &&
    pseudo.only(":method") === "CONNECT" &&
    pseudo.only(":protocol") === "websocket" &&
    pseudo.only(":path") === target;
  if (!isConnect) return malformed.pseudo;
  if (!isPlainPath(target)) return wrongTarget;
  if (!fitsScheme(handshake, pseudo.only(":scheme"))) return malformed.scheme;
  for (const [name, value] of headers) {
    if (!isField(name, value)) return malformed.field;
    if (isConnectionSpecific(name, value)) return malformed.connectionSpecific;
  }
  const authority = pseudo.only(":authority")?.toLowerCase();
  return headers.only("host")?.toLowerCase() === authority ? undefined : malformed.authority;
}

/** Behind a trusted proxy the scheme is that of the client's own connection, which is another. */
function fitsScheme(handshake: Handshake, scheme: string | undefined): boolean {
  if (scheme !== "https" && scheme !== "http") return false;
  return (
    (scheme === "https") === (handshake.tls !== undefined) || forwardedOf(handshake).isTrustedPeer
  );
}

/** RFC 9113 §8.2.1. */
const isField = (name: string, value: string): boolean =>
  isHttpToken(name) &&
  name === name.toLowerCase() &&
  isHeaderValue(value) &&
  trimBlanks(value) === value;

const connectionSpecific: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** RFC 9113 §8.2.2. */
const isConnectionSpecific = (name: string, value: string): boolean =>
  connectionSpecific.has(name) || (name === "te" && value !== "trailers");

const malformedBy = (reason: string, detail: string): Refusal =>
  refuse("handshake_malformed", detail, { reason });

const malformed = {
  http: malformedBy("http version", "The handshake must be HTTP/1.1."),
  upgrade: malformedBy("upgrade", "Upgrade must be the one word websocket."),
  connection: malformedBy("connection", "Connection must hold the word upgrade."),
  pseudo: malformedBy(
    "pseudo-header fields",
    "There must be one each of :method, :protocol, :scheme, :authority and :path.",
  ),
  scheme: malformedBy("scheme", "The scheme must be that of the connection."),
  field: malformedBy("field", "There is a header that HTTP/2 does not allow."),
  connectionSpecific: malformedBy(
    "connection-specific field",
    "HTTP/2 has no headers of the connection.",
  ),
  authority: malformedBy("authority", "There must be one Host at most, the same as :authority."),
  host: malformedBy("host", "There must be one Host header with a valid value."),
  version: malformedBy("version", "There must be one Sec-WebSocket-Version header."),
  key: malformedBy("key", "There must be one Sec-WebSocket-Key of 16 bytes in base64."),
  origin: malformedBy("origin", "There may be one Origin header at most."),
  authorization: malformedBy("authorization", "There may be one Authorization header at most."),
  pollingHttp: malformedBy("http version", "A polling request must be HTTP/1.1 or HTTP/2."),
  pollingUpgrade: malformedBy("upgrade", "A polling request has no Upgrade header."),
  pollingProtocols: malformedBy("protocols", "A polling request has no subprotocols."),
  protocols: malformedBy("protocols", "Sec-WebSocket-Protocol must be a list of different tokens."),
};

const tooManyHeaders = refuse("headers_too_many");
const wrongTarget = refuse("target_invalid");
const body = refuse("body_not_allowed");
const wrongMethod = refuse("method_not_allowed", undefined, { headers: [["Allow", "GET"]] });
const wrongPollingMethod = refuse("method_not_allowed", "A polling request is GET or POST.", {
  headers: [["Allow", "GET, POST"]],
});
const wrongVersion = refuse("version_unsupported", undefined, {
  headers: [
    ["Sec-WebSocket-Version", "13"],
    ["Upgrade", "websocket"],
  ],
});

/**
 * A path and perhaps a query, in printable ASCII. Absolute targets and `//host` name another authority to some parsers, backslashes are
 * slashes to others, and dot segments (which browsers resolve before they send) would let one path pass for another.
 */
export function isPlainPath(target: string): boolean {
  if (!target.startsWith("/") || target.startsWith("//")) return false;
  let segmentStart = 1;
  let isInPath = true;
  for (let index = 0; index <= target.length; index++) {
    const code = index === target.length ? 0x2f : target.charCodeAt(index);
    if (code <= 0x20 || code >= 0x7f || code === 0x5c || code === 0x23) return false;
    if (isInPath && code === 0x25 && isEncodedAlphanumeric(target, index)) return false;
    if (isInPath && (code === 0x2f || code === 0x3f)) {
      if (isDotSegment(target, segmentStart, index)) return false;
      segmentStart = index + 1;
      if (code === 0x3f) isInPath = false;
    }
  }
  return true;
}

/** Nobody needs to encode a letter or a digit; some routers decode it, and `/%61dmin` would be `/admin` behind the checks (RFC 3986 §6.2.2.2). */
function isEncodedAlphanumeric(target: string, at: number): boolean {
  const code = Number.parseInt(target.slice(at + 1, at + 3), 16);
  return (
    (code >= 0x30 && code <= 0x39) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x61 && code <= 0x7a)
  );
}

/** `.` and `..`, also where the dots are percent-encoded. */
function isDotSegment(target: string, start: number, end: number): boolean {
  if (end - start < 1 || end - start > 6 || !".%".includes(target.charAt(start))) return false;
  const segment = target.slice(start, end).toLowerCase().replaceAll("%2e", ".");
  return segment === "." || segment === "..";
}

function asksForUpgrade(headers: HeaderLines): boolean {
  const value = headers.joined("connection") ?? "";
  if (value === "Upgrade") return true; // what all browsers but Firefox send
  const options = parseTokenList(value);
  return options?.some((option) => option.toLowerCase() === "upgrade") ?? false;
}

/** Its bytes would reach the library as WebSocket frames. */
function hasBody(headers: HeaderLines): boolean {
  if (headers.has("transfer-encoding")) return true;
  return headers.has("content-length") && headers.only("content-length") !== "0";
}

/** 16 bytes are 22 letters, of which the last holds two bits, and two signs of padding (RFC 4648 §4). */
function isHandshakeKey(key: string | undefined): boolean {
  if (key?.length !== 24 || !key.endsWith("==")) return false;
  for (let index = 0; index < 22; index++) {
    if (!isBase64Code(key.charCodeAt(index))) return false;
  }
  return "AQgw".includes(key.charAt(21));
}

const isBase64Code = (code: number): boolean =>
  (code >= 0x41 && code <= 0x5a) ||
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x2f && code <= 0x39) ||
  code === 0x2b;

function hasValidProtocols({ headers, protocols }: Handshake): boolean {
  const offered = headers.joined("sec-websocket-protocol");
  if (offered === undefined) return true;
  const tokens = parseTokenList(offered);
  return tokens !== undefined && new Set(protocols).size === protocols.length;
}
