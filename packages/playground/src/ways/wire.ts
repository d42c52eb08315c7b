import { openingOf } from "../attacks/attack.ts";
import type { Line } from "../handshake-client.ts";
import type { Target } from "../lab.ts";
import { namesIn } from "../services/certificates.ts";
import type { Act, LiveWay, Sketch } from "./way.ts";

/** What is added to a sketch so that it can be sent. */
export interface Sending {
  readonly attempt: string;
  readonly ticket?: string | undefined;
}

/** The whole opening handshake of a sketch. */
export function openingAt(
  { path }: LiveWay,
  { cookie, lines = [], ...sketch }: Sketch,
  target: Target,
  { attempt, ticket }: Sending,
): ReturnType<typeof openingOf> {
  const cookies: readonly Line[] =
    cookie === undefined ? [] : [["Cookie", `${cookie.name}=${cookie.value}`]];
  return openingOf(
    {
      ...sketch,
      target: ticket === undefined ? path : `${path}?ticket=${ticket}`,
      lines: [...cookies, ...lines],
    },
    target,
    attempt,
  );
}

/** What goes over the wire, as far as it matters for the way, and with secrets cut short. */
export function wireOf(way: LiveWay, { ticketFrom }: Act, sketch: Sketch): readonly string[] {
  const { certificate, cookie, firstMessage, lines = [], origin, protocols = [] } = sketch;
  const shown: readonly Line[] = [
    ...(origin === undefined ? [] : [["Origin", origin] as const]),
    ...(cookie === undefined ? [] : [["Cookie", `${cookie.name}=${cookie.value}`] as const]),
    ...lines,
    ...(protocols.includes("bearer")
      ? [["Sec-WebSocket-Protocol", protocols.join(", ")] as const]
      : []),
  ];
  return [
    ...(way.listener === "tls"
      ? [`TLS, client certificate: ${certificate === undefined ? "none" : namesIn(certificate)}`]
      : []),
    ...(ticketFrom === undefined ? [] : [`POST ${ticketFrom}`]),
    `GET ${way.path}${ticketFrom === undefined ? "" : "?ticket=…"}`,
    ...shown.map(([name, value]) => `${name}: ${masked(value)}`),
    ...(firstMessage === undefined ? [] : [`Message: ${masked(firstMessage)}`]),
  ];
}

/** Whatever is long and without blanks is a secret, or nobody misses its end. An API key keeps its public prefix. */
const masked = (text: string): string =>
  text.replace(/[\w.~+-]{24,}/g, (secret) => `${secret.slice(0, 6)}…`);
