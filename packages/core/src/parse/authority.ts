import { parseIpAddress, parseIpv4 } from "./ip-address.ts";

/** A host and, where one is written, a port: the value of `Host`, and what follows `://` in an origin. */
export interface Authority {
  /** In lower case; an IPv6 address keeps its brackets. */
  readonly host: string;
  readonly kind: "name" | "ipv4" | "ipv6";
  readonly port: number | undefined;
}

/**
 * Reads `host [":" port]` strictly: ASCII letters, digits, `-`, `_` and dots in names, canonical literal addresses, a port from 1 to
 * 65535 without leading zeros; no userinfo, no path, no blank (RFC 9110 §7.2, RFC 3986 §3.2.2).
 */
export function parseAuthority(text: string): Authority | undefined {
  if (text.length > 262) return undefined;
  const hostEnd = text.startsWith("[") ? text.indexOf("]") + 1 : text.indexOf(":");
  if (hostEnd === 0) return undefined;
  const hostText = hostEnd === -1 ? text : text.slice(0, hostEnd);
  const portText = hostEnd === -1 ? "" : text.slice(hostEnd);
  const port = portText === "" ? undefined : parsePort(portText);
  if (port === null) return undefined;
  const host = hostText.toLowerCase();
  const kind = kindOfHost(host);
  return kind === undefined ? undefined : { host, kind, port };
}

/** Reads `":" port`; null where it is not one. */
function parsePort(text: string): number | null {
  if (!text.startsWith(":") || text.length < 2 || text.length > 6 || text[1] === "0") return null;
  for (let index = 1; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return null;
  }
  const port = Number(text.slice(1));
  return port <= 65_535 ? port : null;
}

function kindOfHost(host: string): Authority["kind"] | undefined {
  if (host.startsWith("[")) {
    const inner = host.slice(1, -1);
    return inner.includes(":") && parseIpAddress(inner) !== undefined ? "ipv6" : undefined;
  }
  if (!isName(host)) return undefined;
  if (!endsInNumber(host)) return "name";
  return parseIpv4(host) === undefined ? undefined : "ipv4";
}

function isName(host: string): boolean {
  if (host.length > 254) return false;
  let labelLength = 0;
  for (let index = 0; index < host.length; index++) {
    const code = host.charCodeAt(index);
    if (code === 0x2e) {
      if (labelLength === 0) return false;
      labelLength = 0;
    } else if (!isNameCode(code) || ++labelLength > 63) return false;
  }
  return host !== "";
}

const isNameCode = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) ||
  (code >= 0x30 && code <= 0x39) ||
  code === 0x2d ||
  code === 0x5f;

/** A last label of digits makes browsers read the host as an address (WHATWG URL, «ends in a number»). */
function endsInNumber(host: string): boolean {
  const name = host.endsWith(".") ? host.slice(0, -1) : host;
  const label = name.slice(name.lastIndexOf(".") + 1);
  if (label.startsWith("0x")) return isDigits(label.slice(2), true);
  return isDigits(label, false) && label !== "";
}

function isDigits(text: string, hexadecimal: boolean): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isDigit = code >= 0x30 && code <= 0x39;
    const isLetter = hexadecimal && code >= 0x61 && code <= 0x66;
    if (!isDigit && !isLetter) return false;
  }
  return true;
}
