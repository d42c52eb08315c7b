import type { AttackOrder, BrowserAttempt, DecisionView, Measured } from "../protocol.ts";
import { connectTo } from "./libraries/connection.ts";

/** What a page can tell of a handshake: browsers hide status and body of a refusal from scripts. */
export interface Tried {
  readonly isOpen: boolean;
  /** As whom the chat has welcomed it. */
  readonly name?: string;
  /** How a refusal looks from here, such as a close code. */
  readonly seen?: string;
}

/** Makes handshakes somewhere: in this page, or in a frame. */
export type Tryer = (attempt: BrowserAttempt) => Promise<Tried>;

const patienceMs = 4_000;

/** Connects from this very page; open counts only once a ping was answered. */
export const tryHere: Tryer = ({ library, ...destination }) =>
  new Promise((resolve) => {
    let name: string | undefined;
    const settle = (tried: Tried): void => {
      clearTimeout(deadline);
      resolve(tried);
      connection.close();
    };
    const deadline = setTimeout(() => settle({ isOpen: false }), patienceMs);
    const connection = connectTo(library, destination, {
      onOpen: () => connection.send({ type: "ping" }),
      onEvent: (event) => {
        if (event.type === "welcome") name = event.name;
        if (event.type === "pong")
          settle({ isOpen: true, ...(name === undefined ? {} : { name }) });
      },
      onClose: (seen) => settle({ isOpen: false, seen }),
    });
  });

/** Both servers' answers to one attack. */
export interface Outcome {
  readonly gated: Measured;
  readonly bare: Measured;
}

/** Has the page's own server prepare an attack, sends it, and asks what the gate decided. */
export async function runAttack(id: string, tryIt: Tryer): Promise<Outcome> {
  const answer = await fetch(`/attempts/${id}`, { method: "POST" });
  const order = (await answer.json()) as AttackOrder;
  if (order.kind === "measured") return order;
  const gated = await tryIt(order.gated);
  return {
    gated: await withGate(order.gated, gated),
    bare: withoutGate(await tryIt(order.bare)),
  };
}

async function withGate({ attempt }: BrowserAttempt, tried: Tried): Promise<Measured> {
  const answer = await fetch(`/attempts/${attempt}`);
  const decision = (await answer.json()) as DecisionView | null;
  if (tried.isOpen) return letIn(tried);
  if (decision?.outcome !== "refused") return { isStopped: false, text: "no answer" };
  const { status, code, title = "" } = decision;
  // Browsers keep status and body from scripts, so that is all the page learns.
  const seen = `The page saw: ${tried.seen ?? "nothing"}.`;
  return { isStopped: true, text: `${status} ${code}`, detail: `${title} ${seen}` };
}

const withoutGate = (tried: Tried): Measured =>
  tried.isOpen ? letIn(tried) : { isStopped: true, text: `closed, ${tried.seen ?? "no answer"}` };

/** What the chat calls those of whom it knows nothing. */
const nobody = "somebody";

const letIn = ({ name = nobody }: Tried): Measured => ({
  isStopped: false,
  text: `101, open${name === nobody ? "" : ` as ${name}`}, ping answered`,
});
