import { type Authority, parseAuthority } from "./authority.ts";

/** An origin of the schemes that have hosts and ports, as a browser serializes it (RFC 6454 §6.2). */
export interface SerializedOrigin {
  readonly scheme: string;
  readonly host: string;
  readonly kind: Authority["kind"];
  /** With the scheme's default filled in. */
  readonly port: number;
}

/** The port that a scheme's origins leave unwritten. */
export const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Reads the exact text that browsers write for `http` and `https` pages: lower case, no path, no userinfo, no default port.
 * `URL` is no check here: it mends backslashes and tabs, and turns `chrome-extension://x` into the text `null`.
 */
export function parseSerializedOrigin(text: string): SerializedOrigin | undefined {
  const colon = text.indexOf("://");
  if (colon <= 0) return undefined;
  const scheme = text.slice(0, colon);
  const defaultPort = Object.hasOwn(defaultPorts, scheme) ? defaultPorts[scheme] : undefined;
  if (defaultPort === undefined) return undefined;
  const written = text.slice(colon + 3);
  const authority = parseAuthority(written);
  if (authority === undefined || authority.port === defaultPort) return undefined;
  if (written !== written.toLowerCase()) return undefined;
  const { host, kind, port = defaultPort } = authority;
  // The reading of addresses is lenient about zeros; of what it lets through, URL knows the one spelling that browsers write.
  if (kind === "ipv6" && new URL(`http://${host}`).host !== host) return undefined;
  return { scheme, host, kind, port };
}

const webSocketSchemes: readonly string[] = ["ws", "wss"];

/**
 * Whether the text has the outer form of an origin of another scheme, such as `chrome-extension://abc`. Pages never have a WebSocket
 * scheme, whatever they connect to.
 */
export function isOtherSchemeOrigin(text: string): boolean {
  const colon = text.indexOf("://");
  if (colon <= 0) return false;
  const scheme = text.slice(0, colon);
  if (Object.hasOwn(defaultPorts, scheme) || webSocketSchemes.includes(scheme)) return false;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const isUnreserved =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x2d ||
      code === 0x2e ||
      code === 0x5f;
    const isSeparator = index >= colon && code === (index === colon ? 0x3a : 0x2f);
    const isPort = index > colon + 2 && code === 0x3a;
    if (index >= colon && index < colon + 3 ? !isSeparator : !(isUnreserved || isPort))
      return false;
  }
  return true;
}
