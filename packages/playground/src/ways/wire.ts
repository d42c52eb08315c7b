import { openingOf } from "../attacks/attack.ts";
import type { Line } from "../handshake-client.ts";
import type { Target } from "../lab.ts";
import type { Errand } from "../protocol.ts";
import { namesIn } from "../services/certificates.ts";
import type { Act, LiveWay, Sketch } from "./way.ts";

/** What an {@link Errand} has brought. */
export interface Brought {
  readonly parameter: Errand["parameter"];
  readonly value: string;
  /** What was set meanwhile, as `name=value`. */
  readonly cookies: readonly string[];
}

/** What is added to a sketch so that it can be sent. */
export interface Sending {
  readonly attempt: string;
  /** What its errand has brought. */
  readonly brought?: Brought | undefined;
}

/** The whole opening handshake of a sketch. */
export function openingAt(
  { path }: LiveWay,
  { cookie, lines = [], ...sketch }: Sketch,
  target: Target,
  { attempt, brought }: Sending,
): ReturnType<typeof openingOf> {
  const pairs = [
    ...(cookie === undefined ? [] : [`${cookie.name}=${cookie.value}`]),
    ...(brought?.cookies ?? []),
  ];
  const cookies: readonly Line[] = pairs.length === 0 ? [] : [["Cookie", pairs.join("; ")]];
  return openingOf(
    {
      ...sketch,
      target: brought === undefined ? path : `${path}?${brought.parameter}=${brought.value}`,
      lines: [...cookies, ...lines],
    },
    target,
    attempt,
  );
}

/** What goes over the wire, as far as it matters for the way, and with secrets cut short. */
export function wireOf(way: LiveWay, { errand }: Act, sketch: Sketch): readonly string[] {
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
    ...(errand === undefined ? [] : linesOf(errand)),
    `GET ${way.path}${errand === undefined ? "" : queryOf(errand)}`,
    ...shown.map(([name, value]) => `${name}: ${masked(value)}`),
    ...(firstMessage === undefined ? [] : [`Message: ${masked(firstMessage)}`]),
  ];
}

const linesOf = ({ from, bound }: Errand): readonly string[] => [
  `POST ${from}`,
  ...(bound === undefined ? [] : ["Authorization: DPoP …", "DPoP: …"]),
];

const queryOf = ({ parameter, bound }: Errand): string =>
  `?${parameter}=…${bound === undefined || bound.provenBy === "nobody" ? "" : "~…"}`;

/** Whatever is long and without blanks is a secret, or nobody misses its end. An API key keeps its public prefix. */
const masked = (text: string): string =>
  text.replace(/[\w.~+-]{24,}/g, (secret) => `${secret.slice(0, 6)}…`);
