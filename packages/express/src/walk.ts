import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Handshake,
  type MaybePromise,
  type Permit,
  type Refusal,
  type Ruling,
  refuse,
  type TrailEntry,
  type Upgrade,
  type UpgradeHandler,
  type Verdict,
} from "@firmshake/node";
import { answerWithError } from "./answer-with-error.ts";
import { warnOfLateAnswer } from "./late-answer.ts";
import { walkResponse } from "./walk-response.ts";

/** What Express's `app` is, as far as it is used: a request handler that hands on what it did not answer. */
export type App = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => unknown;

/**
 * Sends each upgrade through the application's own stack, with a real response to answer with. It is handed over when the stack has let
 * it through and a guard on its way has allowed it; any answer or error on the way reaches the client instead.
 */
export function walkThrough(app: App): UpgradeHandler {
  return (upgrade) => new Walk(upgrade).through(app);
}

const walks = new WeakMap<IncomingMessage, Walk>();

/** The walk that a request is on, where it is an upgrade that the gate holds or has refused. */
export const walkOf = (request: IncomingMessage): Walk | undefined => walks.get(request);

const noGuard = refuse("not_found", undefined, { reason: "no guard on the path" });
const gone = refuse("client_gone");

/** An upgrade on its way through the application's stack. */
export class Walk {
  readonly handshake: Handshake;
  readonly #request: IncomingMessage;
  readonly #url: string;
  readonly #response: ServerResponse;
  readonly #release: () => void;
  readonly #permits: Permit[] = [];
  readonly #trail: TrailEntry[] = [];
  #reported: Refusal | undefined;
  /** The error that the application's stack handed on. */
  #failure: unknown;
  #ruling: Ruling | undefined;
  #resolve: ((ruling: Ruling) => void) | undefined;

  constructor(upgrade: Upgrade) {
    const { request, handshake } = upgrade;
    const { response, release } = walkResponse(upgrade);
    this.handshake = handshake;
    this.#request = request;
    this.#url = request.url ?? "";
    this.#response = response;
    this.#release = release;
  }

  through(app: App): MaybePromise<Ruling> {
    walks.set(this.#request, this);
    this.#response.once("finish", () => this.#onAnswer());
    try {
      app(this.#request, this.#response, (error?: unknown) => this.#onStackEnd(error));
    } catch (cause) {
      this.#fail(cause);
    }
    if (this.#ruling !== undefined) return this.#ruling;
    this.handshake.signal.addEventListener("abort", () => this.#refuse(gone));
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Takes note of a guard's verdict. False where the walk ends with it, or has ended before. */
  note(verdict: Verdict): boolean {
    if (this.#ruling !== undefined) return false;
    this.#trail.push(...verdict.trail);
    if (!verdict.ok) {
      this.#refuse(verdict.refusal);
      return false;
    }
    this.#permits.push(verdict.permit);
    this.#reported ??= verdict.reported;
    return true;
  }

  /** Ends the walk: handed over if a guard has allowed it, refused otherwise. */
  end(): void {
    if (this.#permits.length === 0) return this.#refuse(noGuard);
    this.#rule({
      outcome: "permitted",
      permits: this.#permits,
      reported: this.#reported,
      trail: this.#trail,
    });
  }

  #onStackEnd(error: unknown): void {
    if (this.#ruling !== undefined) return;
    if (error === undefined || error === null) return this.end();
    this.#failure = error;
    try {
      answerWithError(this.#response, error);
    } catch (cause) {
      // Nobody is above this who would catch it: Express calls it from a timer.
      this.#fail(cause);
    }
  }

  #onAnswer(): void {
    if (this.#ruling !== undefined) return;
    warnOfLateAnswer(this.#permits.length, this.#response.statusCode);
    this.#rule(this.#answered());
  }

  #answered(): Ruling {
    const { statusCode: status } = this.#response;
    return { outcome: "answered", status, cause: this.#failure, trail: this.#trail };
  }

  #fail(cause: unknown): void {
    this.#refuse(refuse("check_failed", undefined, { cause, reason: "threw" }));
  }

  #refuse(refusal: Refusal): void {
    this.#rule({ outcome: "refused", refusal, trail: this.#trail });
  }

  #rule(made: Ruling): void {
    if (this.#ruling !== undefined) return;
    // Half an answer is an answer: behind it neither a refusal nor a WebSocket would be understood.
    const ruling = this.#response.headersSent ? this.#answered() : made;
    this.#ruling = ruling;
    this.#release();
    // What comes late, when it was refused long ago, must not pass for an upgrade that no gate holds.
    if (ruling.outcome === "permitted") walks.delete(this.#request);
    // Routers that were left in the middle have cut their mount path off.
    this.#request.url = this.#url;
    this.#resolve?.(ruling);
  }
}
