import { randomBytes } from "node:crypto";
import type { CredentialMode, Dress, Line } from "../credentials.ts";
import type { Route } from "./wire.ts";

/** One handshake, as far as it differs from that of the user's own client. */
export interface Sketch {
  /** In plain words what is tried, for the report. */
  readonly probe: string;
  /** Default `own`. */
  readonly credentials?: CredentialMode | Dress;
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  /** One value for each line; none leaves it out. Default: the endpoint's own. */
  readonly host?: readonly string[];
  readonly origin?: readonly string[];
  readonly upgrade?: string;
  readonly webSocketVersion?: string;
  readonly keys?: readonly string[];
  /** Extra lines, written behind the others. */
  readonly lines?: readonly Line[];
  /** Extra lines, written in front of the others. */
  readonly linesBefore?: readonly Line[];
  readonly extensions?: string;
  readonly body?: string;
  /** Elsewhere than at the endpoint: the plain port beside the one with TLS. */
  readonly route?: Route;
  /** Asks for no second try where the server says that it was asked too often. */
  readonly isImpatient?: boolean;
  /** Listens to nothing after 101 but the answer to the ping. */
  readonly isQuick?: boolean;
  /** Sends nothing after 101 but the ping. */
  readonly isBare?: boolean;
}

/** A handshake ready to be sent. */
export interface HandshakeRequest {
  readonly lines: readonly string[];
  readonly bytes: string;
  /** What the answer must prove to have read; undefined where the key was not one. */
  readonly key: string | undefined;
  readonly protocols: readonly string[];
  readonly extensions: string | undefined;
}

export interface Own {
  readonly host: string;
  readonly origin: string;
}

/** Writes the request (RFC 6455 §4.1), in the order in which browsers write it. */
export function requestOf(sketch: Sketch, dress: Dress, own: Own): HandshakeRequest {
  const { method = "GET", version = "HTTP/1.1", target = dress.path, body = "" } = sketch;
  const keys = sketch.keys ?? [randomBytes(16).toString("base64")];
  const { protocols } = dress;
  const taken = new Set((sketch.lines ?? []).map(([name]) => name.toLowerCase()));
  const lines: readonly Line[] = [
    ...(sketch.linesBefore ?? []),
    ...(sketch.host ?? [own.host]).map((host): Line => ["Host", host]),
    ["Connection", "Upgrade"],
    ["Upgrade", sketch.upgrade ?? "websocket"],
    ...(sketch.origin ?? [own.origin]).map((origin): Line => ["Origin", origin]),
    ["Sec-WebSocket-Version", sketch.webSocketVersion ?? "13"],
    ...keys.map((key): Line => ["Sec-WebSocket-Key", key]),
    ...(protocols.length > 0 && !taken.has("sec-websocket-protocol")
      ? [["Sec-WebSocket-Protocol", protocols.join(", ")] as const]
      : []),
    ...(sketch.extensions === undefined
      ? []
      : [["Sec-WebSocket-Extensions", sketch.extensions] as const]),
    ...dress.lines.filter(([name]) => !taken.has(name.toLowerCase())),
    ...(sketch.lines ?? []),
  ];
  const written = [
    `${method} ${target} ${version}`,
    ...lines.map(([name, value]) => `${name}: ${value}`),
  ];
  return {
    lines: written,
    bytes: `${written.join("\r\n")}\r\n\r\n${body}`,
    key: sketch.keys === undefined ? keys[0] : undefined,
    protocols,
    extensions: sketch.extensions,
  };
}
