import type { Mask } from "../mask.ts";
import type { Evidence, OutcomeKind } from "../report.ts";
import { type AnswerHead, headerOf } from "./http-answer.ts";

/** What came of one handshake, with everything that was seen. Nothing in it is masked: {@link evidenceOf} does that. */
export interface Outcome {
  readonly kind: OutcomeKind;
  /** In plain words what was tried. */
  readonly probe: string;
  readonly request: readonly string[];
  readonly head?: AnswerHead | undefined;
  /** The beginning of a refusal's body, or of what is no HTTP. */
  readonly body: string;
  /** Messages that came after 101. */
  readonly messages: readonly string[];
  readonly closeCode?: number | undefined;
  readonly closeReason?: string | undefined;
  /** Whether the server left its side of the connection open after its refusal. */
  readonly isLeftOpen: boolean;
  /** Until the first byte of the answer, or until there was none. */
  readonly answerMs: number;
  readonly error?: string | undefined;
}

/** Whether the server said no, in one of the ways there are. */
export const isRefusal = ({ kind }: Pick<Outcome, "kind">): boolean =>
  kind === "refused-by-http" ||
  kind === "ended-without-a-byte" ||
  kind === "not-http" ||
  kind === "silent" ||
  kind === "closed-after-101" ||
  kind === "refused-by-message";

export const isAccepted = ({ kind }: Pick<Outcome, "kind">): boolean => kind === "accepted";

/** Whether the answer was about how often was asked, not about what. */
export const isThrottled = ({ kind, head, closeCode }: Outcome): boolean =>
  (kind === "refused-by-http" && (head?.status === 429 || head?.status === 503)) ||
  (kind === "closed-after-101" && closeCode === 1013);

/** Whether anything at all was answered. */
export const isAnswered = ({ kind }: Outcome): boolean =>
  kind !== "unreachable" && kind !== "ended-without-a-byte" && kind !== "silent";

/** How long the server asks to be left alone, in milliseconds (RFC 9110 §10.2.3). */
export function retryAfterMs({ head }: Outcome): number | undefined {
  const seconds = headerOf(head, "retry-after");
  return seconds !== undefined && /^\d{1,4}$/.test(seconds) ? Number(seconds) * 1_000 : undefined;
}

/** The outcome in a few words. */
export function observationOf(outcome: Outcome): string {
  const { kind, head, closeCode, closeReason, messages, error, answerMs } = outcome;
  const close = closeCode === undefined ? "without a close frame" : `with close code ${closeCode}`;
  const because = closeReason ? ` (“${closeReason}”)` : "";
  const after = messages.length > 0 ? ` after ${messages.length} message(s)` : "";
  switch (kind) {
    case "accepted":
      return `accepted: 101, still open, and a ping was answered${messages.length > 0 ? `; ${messages.length} message(s) came` : ""}`;
    case "refused-by-http":
      return `refused: ${head?.statusLine.slice(0, 80) ?? "an HTTP answer"}`;
    case "ended-without-a-byte":
      return "refused: the connection was closed without an answer";
    case "not-http":
      return `refused: what came is no HTTP answer${error === undefined ? "" : ` (${error})`}`;
    case "silent":
      return `refused: nothing was answered within ${Math.round(answerMs)} ms, and the connection was left open`;
    case "closed-after-101":
      return `refused after 101: closed ${close}${because}${after}`;
    case "refused-by-message":
      return "refused after 101 by a message";
    case "mute-after-101":
      return "unclear: 101 and still open, but a ping was not answered";
    case "invalid-101":
      return `unclear: 101, but not as RFC 6455 demands (${error ?? "malformed"})`;
    case "unreachable":
      return `no connection: ${(error !== undefined && connectionErrors[error]) || (error ?? "unknown")}`;
  }
}

/** What the usual ones mean. */
const connectionErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens at that address and port (ECONNREFUSED)",
  ERR_SSL_WRONG_VERSION_NUMBER:
    "what listens there does not speak TLS (ERR_SSL_WRONG_VERSION_NUMBER)",
  ERR_SSL_PACKET_LENGTH_TOO_LONG:
    "what listens there does not speak TLS (ERR_SSL_PACKET_LENGTH_TOO_LONG)",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION:
    "no version of TLS is spoken by both (ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION)",
  ERR_SSL_UNSUPPORTED_PROTOCOL:
    "no version of TLS is spoken by both (ERR_SSL_UNSUPPORTED_PROTOCOL)",
};

/** What a report may show of an outcome. */
export function evidenceOf(outcome: Outcome, mask: Mask): Evidence {
  const { kind, probe, request, head, body, messages, closeCode, answerMs } = outcome;
  const [first] = messages;
  const answer =
    head === undefined
      ? body === ""
        ? []
        : [mask.text(body.slice(0, 1_000))]
      : [
          mask.text(head.statusLine),
          ...head.headers.slice(0, 40).map(([name, value]) => mask.line(name, value)),
          ...(body === "" ? [] : ["", mask.text(body.slice(0, 1_000))]),
        ];
  return {
    probe: mask.text(probe),
    observation: mask.text(observationOf(outcome)),
    outcome: kind,
    request: shownRequest(request, mask),
    ...(answer.length > 0 && { answer }),
    ...(closeCode !== undefined && { closeCode }),
    ...(first !== undefined && { firstMessage: mask.text(first) }),
    durationMs: Math.round(answerMs),
  };
}

const maxShownLines = 30;

function shownRequest(lines: readonly string[], mask: Mask): readonly string[] {
  const shown = lines.slice(0, maxShownLines).map((line, index) => {
    const colon = index === 0 ? -1 : line.indexOf(": ");
    return colon === -1 ? mask.text(line) : mask.line(line.slice(0, colon), line.slice(colon + 2));
  });
  const rest = lines.length - shown.length;
  return rest > 0 ? [...shown, `… and ${rest} more lines`] : shown;
}
