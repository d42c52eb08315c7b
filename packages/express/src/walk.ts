import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Ruling, Upgrade, UpgradeHandler } from "@firmshake/node";
import { type Permit, type Refusal, refuse, type TrailEntry, type Verdict } from "@firmshake/node";
import { rememberRequest } from "./request-of.ts";
import { walkResponse } from "./walk-response.ts";

/** What Express's `app` is, as far as it is used: a request handler that hands on what it did not answer. */
export type App = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown;

/** An upgrade on its way through the application's stack. */
export interface Walk {
  readonly upgrade: Upgrade;
  /** Takes note of a guard's verdict. False where the walk ends with it, or has ended before. */
  readonly note: (verdict: Verdict) => boolean;
  /** Ends the walk: handed over if a guard has allowed it, refused otherwise. */
  readonly end: () => void;
}

const walks = new WeakMap<IncomingMessage, Walk>();

/** The walk that a request is on, where it is an upgrade that the gate holds or has refused. */
export const walkOf = (request: IncomingMessage): Walk | undefined => walks.get(request);

/**
 * Sends each upgrade through the application's own stack, with a real response to answer with. It is handed over when the stack has let
 * it through and a guard on its way has allowed it; any answer or error on the way reaches the client instead.
 */
export function walkThrough(app: App): UpgradeHandler {
  return (upgrade) => {
    const { request, handshake } = upgrade;
    const url = request.url ?? "";
    const permits: Permit[] = [];
    const trail: TrailEntry[] = [];
    let reported: Refusal | undefined;
    let failure: unknown;
    let ruling: Ruling | undefined;
    let resolve: ((ruling: Ruling) => void) | undefined;

    const { response, release } = walkResponse(upgrade);
    const answered = (): Ruling => ({
      outcome: "answered",
      status: response.statusCode,
      cause: failure,
      trail,
    });
    response.once("finish", () => {
      if (ruling !== undefined) return;
      warnOfLateAnswer(permits.length, response.statusCode);
      rule(answered());
    });

    function rule(made: Ruling): void {
      if (ruling !== undefined) return;
      // Half an answer is an answer: behind it neither a refusal nor a WebSocket would be understood.
      ruling = response.headersSent ? answered() : made;
      release();
      // What comes late, when it was refused long ago, must not pass for an upgrade that no gate holds.
      if (ruling.outcome === "permitted") walks.delete(request);
      // Routers that were left in the middle have cut their mount path off.
      request.url = url;
      resolve?.(ruling);
    }

    function end(): void {
      rule(
        permits.length > 0
          ? { outcome: "permitted", permits, reported, trail }
          : { outcome: "refused", refusal: noGuard, trail },
      );
    }

    function note(verdict: Verdict): boolean {
      if (ruling !== undefined) return false;
      trail.push(...verdict.trail);
      if (verdict.ok) {
        permits.push(verdict.permit);
        reported ??= verdict.reported;
        return true;
      }
      rule({ outcome: "refused", refusal: verdict.refusal, trail });
      return false;
    }

    function fail(cause: unknown): void {
      rule({
        outcome: "refused",
        refusal: refuse("check_failed", undefined, { cause, reason: "threw" }),
        trail,
      });
    }

    walks.set(request, { upgrade, note, end });
    rememberRequest(handshake, request);
    try {
      app(request, response, (error?: unknown) => {
        if (ruling !== undefined) return;
        if (error === undefined || error === null) return end();
        failure = error;
        try {
          answerWithError(response, error);
        } catch (cause) {
          // Nobody is above this who would catch it: Express calls it from a timer.
          fail(cause);
        }
      });
    } catch (cause) {
      fail(cause);
    }
    if (ruling !== undefined) return ruling;
    handshake.signal.addEventListener("abort", () =>
      rule({ outcome: "refused", refusal: gone, trail }),
    );
    return new Promise((resolvePromise) => {
      resolve = resolvePromise;
    });
  };
}

const noGuard = refuse("not_found", undefined, { reason: "no guard on the path" });
const gone = refuse("client_gone");

/** What Express's own last handler does with an error that nobody handled, without its page and stack. */
function answerWithError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, statusCode, headers, expose, message } = Object(error) as Partial<HttpError>;
  const code = [status, statusCode].find(isErrorStatus) ?? 500;
  const title = STATUS_CODES[code] ?? "Error";
  for (const name of describingHeaders) response.removeHeader(name);
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  response.statusCode = code;
  response.statusMessage = title;
  // Express puts what the client sent into messages of its own, so only what is meant for the client goes there.
  const detail = expose === true && typeof message === "string" ? { detail: message } : {};
  const body = JSON.stringify({ title, status: code, ...detail });
  response.setHeader("Content-Type", "application/problem+json");
  response.setHeader("Cache-Control", "no-store");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.end(body);
}

const isErrorStatus = (status: unknown): status is number =>
  Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599;

/** Of the answer that did not come to be. */
const describingHeaders = [
  "Content-Encoding",
  "Content-Language",
  "Content-Range",
  "ETag",
  "Last-Modified",
  "Transfer-Encoding",
];

/** The convention of http-errors, which Express follows. */
interface HttpError {
  readonly status: unknown;
  readonly statusCode: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly expose: boolean;
  readonly message: string;
}

let hasWarned = false;

/** A page, or a last handler that answers 404 to everything, stands behind the guard: the upgrade never gets through. */
function warnOfLateAnswer(permitCount: number, status: number): void {
  if (permitCount === 0 || hasWarned || (status >= 300 && status !== 404)) return;
  hasWarned = true;
  process.emitWarning(
    `A guard allowed an upgrade, and a handler behind it then answered with ${status}, so the client got that. Make the guard a route of its own, app.get("/chat", guard(...)), or put handOver behind it: app.use("/chat", guard(...), handOver).`,
    { code: "FIRMSHAKE_ANSWERED_BEHIND_GUARD" },
  );
}
