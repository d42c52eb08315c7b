import type { CheckId } from "./check-id.ts";

/** How bad it is where the check fails; the least first. */
export const severities = ["info", "low", "medium", "high", "critical"] as const;

/** One of {@link severities}. */
export type Severity = (typeof severities)[number];

/**
 * What a check concluded: `fail` was seen to be weak, `pass` was seen to be refused, `inconclusive` could not be told, `skipped` was not
 * tried, because something was not given.
 */
export const verdicts = ["fail", "pass", "inconclusive", "skipped"] as const;

/** One of {@link verdicts}. */
export type Verdict = (typeof verdicts)[number];

/** What came of one handshake. Only `accepted` is a WebSocket: answered 101, still open after a while, and a ping was answered. */
export const outcomeKinds = [
  "accepted",
  /** An HTTP answer other than 101. */
  "refused-by-http",
  /** The server closed without sending anything. */
  "ended-without-a-byte",
  /** What was sent is no HTTP answer, or has no end. */
  "not-http",
  /** Nothing was sent, and the connection stayed open. */
  "silent",
  /** Answered 101, then closed by the server. */
  "closed-after-101",
  /** Answered 101, then a message said no, as Socket.IO's connect error does. */
  "refused-by-message",
  /** Answered 101 and stayed open, yet a ping was not answered. */
  "mute-after-101",
  /** Answered 101 without what RFC 6455 §4.2.2 demands of it. */
  "invalid-101",
  /** No connection came about. */
  "unreachable",
] as const;

/** One of {@link outcomeKinds}. */
export type OutcomeKind = (typeof outcomeKinds)[number];

/** What was sent and what came back, with secrets masked and control characters written out. */
export interface Evidence {
  /** In plain words what was tried, such as `Origin: https://evil.example`. */
  readonly probe: string;
  /** In plain words what came of it. */
  readonly observation: string;
  readonly outcome?: OutcomeKind;
  /** Request line and header lines. */
  readonly request?: readonly string[];
  /** Status line and header lines, and the beginning of a refusal's body. */
  readonly answer?: readonly string[];
  readonly closeCode?: number;
  /** The beginning of the first message after 101. */
  readonly firstMessage?: string;
  readonly durationMs?: number;
}

/** Lines of code that mend it. */
export interface RemedyExample {
  readonly library: "ws" | "socket.io" | "express" | "koa" | "fastify" | "node";
  /** Whether it is mended by Firmshake or by the library's own means. */
  readonly isFirmshake: boolean;
  readonly code: string;
}

/** How to mend it. */
export interface Remedy {
  /** In plain words. */
  readonly text: string;
  readonly examples: readonly RemedyExample[];
}

/** Where others write about it. */
export interface References {
  /** As `CWE-1385`. */
  readonly cwe: readonly string[];
  /** Of the OWASP Application Security Verification Standard 5.0, as `4.4.2`. */
  readonly asvs: readonly string[];
  /** Of the OWASP Web Security Testing Guide, as `WSTG-CLNT-10`. */
  readonly wstg: readonly string[];
  /** Published cases, as `CVE-2025-24010`. */
  readonly advisories: readonly string[];
}

/** What one check found. */
export interface Finding {
  readonly id: CheckId;
  readonly title: string;
  /** How bad it is, or would be, for this endpoint: on loopback and with cookies some things are worse than elsewhere. */
  readonly severity: Severity;
  readonly verdict: Verdict;
  /** In plain words why that is the verdict; of `skipped`, what was not given. */
  readonly reason: string;
  readonly evidence: readonly Evidence[];
  readonly remedy: Remedy;
  readonly references: References;
}

/** What answers at the endpoint, as far as it shows. */
export interface Stack {
  /** How messages are framed above WebSocket. */
  readonly dialect: "websocket" | "engine.io" | "graphql-transport-ws" | "graphql-ws";
  /** The subprotocol that was agreed on. */
  readonly protocol?: string;
  /** What the `Server` and `X-Powered-By` lines say. */
  readonly headers: readonly string[];
}

/** The handshake of the user's own client, with which everything else is compared. */
export interface Baseline {
  readonly isAccepted: boolean;
  /** In plain words. */
  readonly reason: string;
  readonly evidence: Evidence;
  readonly stack: Stack;
  /** The address that the name was resolved to, once for the whole run. */
  readonly address: string;
  readonly addressClass: "loopback" | "private" | "public";
}

/** The findings in numbers. */
export interface Summary {
  readonly byVerdict: Readonly<Record<Verdict, number>>;
  /** Of the failed ones. */
  readonly bySeverity: Readonly<Record<Severity, number>>;
  /** Of the failed ones, the worst. */
  readonly worst?: Severity;
  /** The checks after which the server no longer answered; nothing was sent after the last of them. */
  readonly endedBy: readonly CheckId[];
  /** Why the run ended before all checks had run. */
  readonly cutShort?: "aborted" | "handshakes" | "bytes" | "time" | "server-gone";
  readonly handshakes: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Everything that {@link audit} found out. It can be written as JSON as it is, and holds no secret that was given to it. */
export interface AuditReport {
  /** The URL, with its secrets masked. */
  readonly target: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly baseline: Baseline;
  /** In the order of {@link checkList}. */
  readonly findings: readonly Finding[];
  readonly summary: Summary;
}

/** What happens while {@link audit} runs. */
export type AuditEvent =
  | { readonly type: "baseline"; readonly baseline: Baseline }
  | {
      readonly type: "check-started";
      readonly id: CheckId;
      readonly index: number;
      readonly total: number;
    }
  | { readonly type: "check-finished"; readonly finding: Finding }
  | { readonly type: "waiting"; readonly forMs: number; readonly reason: string };
