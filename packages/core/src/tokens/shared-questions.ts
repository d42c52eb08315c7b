import { UnusableAnswer } from "../fetch/unusable-answer.ts";
import { withinTime } from "../fetch/within-time.ts";

/** Asks, or waits with others for the answer to the same question. */
export type Share<Answer> = (
  key: string,
  leaving: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Answer>,
) => Promise<Answer>;

interface Question<Answer> {
  readonly controller: AbortController;
  readonly answer: Promise<Answer>;
  waiting: number;
}

/**
 * Questions of which each is asked once at a time, within bounds of number and time. One is given up when the last who waits for it has left.
 */
export function sharedQuestions<Answer>(maxPending: number, timeoutMs: number): Share<Answer> {
  const pending = new Map<string, Question<Answer>>();

  function begin(key: string, ask: (signal: AbortSignal) => Promise<Answer>): Question<Answer> {
    const controller = new AbortController();
    const answer = withinTime(timeoutMs, ask, controller.signal).finally(() =>
      forget(key, question),
    );
    const question = { controller, answer, waiting: 0 };
    pending.set(key, question);
    return question;
  }

  /** After one was given up there may be another of the same key. */
  function forget(key: string, question: Question<Answer>): void {
    if (pending.get(key) === question) pending.delete(key);
  }

  return async (key, leaving, ask) => {
    leaving.throwIfAborted();
    if (!pending.has(key) && pending.size >= maxPending) {
      throw new UnusableAnswer("Too many questions are under way.");
    }
    const question = pending.get(key) ?? begin(key, ask);
    const leave = (): void => {
      question.waiting--;
      if (question.waiting > 0) return;
      forget(key, question);
      question.controller.abort();
    };
    question.waiting++;
    leaving.addEventListener("abort", leave, { once: true });
    try {
      return await question.answer;
    } finally {
      leaving.removeEventListener("abort", leave);
    }
  };
}
