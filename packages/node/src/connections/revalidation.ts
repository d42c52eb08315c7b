import type { RevalidateOptions } from "@firmshake/core";
import { unlessAborted } from "@firmshake/core/gate";
import { closingBy } from "./close-reason.ts";
import type { GuardedSocket } from "./guarded-socket.ts";

/** The questions of one rule: those that are open, and those that wait. */
interface Desk {
  open: number;
  readonly waiting: Set<GuardedSocket>;
}

type Rule = Required<RevalidateOptions>;

const desks = new WeakMap<Rule, Desk>();
const withdrawn = closingBy("access_withdrawn");
const failed = closingBy("revalidation_failed", { retryAfter: 5 });

/** Has a connection asked about by each of its rules, as soon as there is room. */
export function askAgain(guarded: GuardedSocket): void {
  for (const rule of guarded.rules.revalidate) {
    const desk = desks.get(rule) ?? { open: 0, waiting: new Set() };
    desks.set(rule, desk);
    desk.waiting.add(guarded);
    askNext(rule, desk);
  }
}

function askNext(rule: Rule, desk: Desk): void {
  for (const guarded of desk.waiting) {
    if (desk.open >= rule.maxConcurrent) return;
    desk.waiting.delete(guarded);
    // It may have left while it waited.
    if (guarded.place === -1 || guarded.isClosing) continue;
    desk.open++;
    void ask(rule, guarded).then((become) => {
      desk.open--;
      if (become === "withdrawn") guarded.registry.close(guarded, withdrawn);
      if (become === "failed" && rule.onFailure === "close")
        guarded.registry.close(guarded, failed);
      askNext(rule, desk);
    });
  }
}

/** Never rejects. */
async function ask(
  { by, timeoutMs }: Rule,
  guarded: GuardedSocket,
): Promise<"stays" | "withdrawn" | "failed"> {
  const { clock } = guarded.registry;
  const question = new AbortController();
  guarded.raritiesOf().question = question;
  const stopTimer = clock.after(timeoutMs, () =>
    question.abort(new DOMException("No answer in time.", "TimeoutError")),
  );
  try {
    const { signal } = question;
    const answer = await unlessAborted(signal, () => by(guarded.view, signal));
    return answer === true ? "stays" : "withdrawn";
  } catch {
    return "failed";
  } finally {
    stopTimer();
    if (guarded.rare?.question === question) delete guarded.rare.question;
  }
}
