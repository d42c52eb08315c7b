import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Handshake,
  type MaybePromise,
  type Permit,
  type Refusal,
  refuse,
  type TrailEntry,
  type Verdict,
} from "@firmshake/core";
import { isPromiseLike } from "@firmshake/core/gate";
import { refusalOnAbort } from "../held-upgrade.ts";
import { failedRefusal, type Ruling, type Upgrade, type UpgradeHandler } from "../ruling.ts";
import { makeStamp } from "../stamp.ts";
import type { MeterHead } from "../target.ts";
import { answerWithError } from "./answer-with-error.ts";
import { warnOfLateAnswer } from "./late-answer.ts";
import { adoptedResponse, lentResponse, type WalkResponse } from "./walk-response.ts";

/**
 * Sends each upgrade through an application's own stack, with a real response to answer with. It is handed over when a guard on the way
 * has allowed it and the walk was ended; any answer or error on the way reaches the client instead.
 *
 * @param start - Gives the request to the stack. What it throws, or rejects with, refuses.
 * @param onLateAnswer - Is told of an answer of the stack: whether a guard had allowed the upgrade before, and the status.
 */
export function walkThrough(
  start: (walk: Walk) => unknown,
  onLateAnswer: typeof warnOfLateAnswer = warnOfLateAnswer,
): UpgradeHandler {
  return (upgrade) => new Walk(upgrade, lentResponse(upgrade), onLateAnswer).begin(start);
}

/**
 * The same where the application's stack is entered by the held event itself, because the one listener that there is does so: the event is
 * let go at once, and whoever accepts WebSockets there asks {@link Walk.end} first.
 */
export function walkInside(): UpgradeHandler {
  return (upgrade) => new Walk(upgrade, undefined, () => undefined).begin(() => upgrade.letGo());
}

const walks = makeStamp<Walk | undefined>();

/** The walk that a request is on, where it is an upgrade that the gate holds or has refused. */
export const walkOf = (request: IncomingMessage): Walk | undefined => walks.of(request);

const noGuard = refuse("not_found", undefined, { reason: "no guard on the path" });

/** An upgrade on its way through the application's stack. */
export class Walk {
  readonly handshake: Handshake;
  readonly request: IncomingMessage;
  /** Whether the held event was let go before the decision. */
  readonly isInside: boolean;
  readonly #url: string;
  readonly #onLateAnswer: typeof warnOfLateAnswer;
  readonly #permits: Permit[] = [];
  readonly #trail: TrailEntry[] = [];
  #lent: WalkResponse | undefined;
  #reported: Refusal | undefined;
  /** The error that the application's stack handed on. */
  #failure: unknown;
  #ruling: Ruling | undefined;
  #resolve: ((ruling: Ruling) => void) | undefined;

  constructor(
    { request, handshake }: Upgrade,
    lent: WalkResponse | undefined,
    onLateAnswer: typeof warnOfLateAnswer,
  ) {
    this.handshake = handshake;
    this.request = request;
    this.#url = request.url ?? "";
    this.#lent = lent;
    this.#onLateAnswer = onLateAnswer;
    this.isInside = lent === undefined;
  }

  /** What the application answers with; nothing where it has brought none of its own yet. */
  get response(): ServerResponse | undefined {
    return this.#lent?.response;
  }

  begin(start: (walk: Walk) => unknown): MaybePromise<Ruling> {
    walks.put(this.request, this);
    this.response?.once("finish", () => this.#onAnswer());
    try {
      const started = start(this);
      if (isPromiseLike(started)) started.then(undefined, (cause: unknown) => this.#fail(cause));
    } catch (cause) {
      this.#fail(cause);
    }
    if (this.#ruling !== undefined) return this.#ruling;
    this.handshake.signal.addEventListener("abort", () =>
      this.#refuse(refusalOnAbort(this.handshake)),
    );
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Takes over the response that the application has made by itself. */
  adopt(response: ServerResponse): void {
    this.#lent ??= adoptedResponse(response);
    response.once("finish", () => this.#onAnswer());
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

  /**
   * Ends the walk: handed over if a guard has allowed it, refused otherwise.
   *
   * @param accept - Instead of letting the held event go, where that was done before.
   */
  end(accept?: (meter: MeterHead) => void): void {
    if (this.#permits.length === 0) return this.#refuse(noGuard);
    this.#rule({
      outcome: "permitted",
      permits: this.#permits,
      reported: this.#reported,
      trail: this.#trail,
      accept,
    });
  }

  /** Whether a guard has allowed it so far. */
  get isAllowed(): boolean {
    return this.#permits.length > 0;
  }

  /** Why it was refused, where it was. */
  get refusal(): Refusal | undefined {
    return this.#ruling?.outcome === "refused" ? this.#ruling.refusal : undefined;
  }

  /**
   * Answers with an error that nobody in the stack has handled.
   *
   * @returns it, as an error even if something else was thrown.
   */
  answerWith(error: unknown): Error {
    this.#answerWith(error);
    return error instanceof Error ? error : new Error("non-error thrown", { cause: error });
  }

  #answerWith(error: unknown): void {
    if (this.#ruling !== undefined || this.response === undefined) return;
    this.#failure = error;
    try {
      answerWithError(this.response, error);
    } catch (cause) {
      // Nobody is above this who would catch it: Express calls it from a timer.
      this.#fail(cause);
    }
  }

  #onAnswer(): void {
    if (this.#ruling !== undefined || this.response === undefined) return;
    this.#onLateAnswer(this.isAllowed, this.response.statusCode);
    this.#rule(this.#answered(this.response));
  }

  #answered({ statusCode: status }: ServerResponse): Ruling {
    return { outcome: "answered", status, cause: this.#failure, trail: this.#trail };
  }

  #fail(cause: unknown): void {
    this.#refuse(failedRefusal(cause, "threw"));
  }

  #refuse(refusal: Refusal): void {
    this.#rule({ outcome: "refused", refusal, trail: this.#trail });
  }

  #rule(made: Ruling): void {
    if (this.#ruling !== undefined) return;
    const { response } = this;
    // Half an answer is an answer: behind it neither a refusal nor a WebSocket would be understood.
    const ruling = response?.headersSent ? this.#answered(response) : made;
    this.#ruling = ruling;
    this.#lent?.release(statusOf(ruling));
    // What comes late, when it was refused long ago, must not pass for an upgrade that no gate holds.
    if (ruling.outcome === "permitted") walks.put(this.request, undefined);
    // Routers that were left in the middle have cut their mount path off. Inside, the stack goes on by what it has made of the URL.
    if (!this.isInside) this.request.url = this.#url;
    this.#resolve?.(ruling);
  }
}

function statusOf(ruling: Ruling): number {
  if (ruling.outcome === "permitted") return 101;
  return ruling.outcome === "answered" ? ruling.status : ruling.refusal.status;
}
