import type { AttackOrder, BrowserAttempt, DecisionView, Measured } from "../protocol.ts";
import { connectTo } from "./libraries/connection.ts";

/** What a page can tell of a handshake: browsers hide status and body of a refusal from scripts. */
export interface Tried {
  readonly isOpen: boolean;
  /** As whom the chat has welcomed it. */
  readonly name?: string;
  /** How a refusal looks from here: 1006 where it was said by HTTP. */
  readonly closeCode?: number | undefined;
  readonly reason?: string;
  /** What the client makes of it. */
  readonly next?: string;
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
      onClose: (closed) => settle({ isOpen: false, ...closed }),
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
  // Browsers keep status and body from scripts, so a close frame is all that a page learns.
  return {
    isStopped: true,
    text: `${status} ${code}`,
    detail: `${title} The page saw: ${seenOf(tried)}.`,
  };
}

/** In a few words. */
export const seenOf = ({ closeCode, reason }: Tried): string =>
  [closeCode, reason].filter(Boolean).join(" ") || "nothing";

const withoutGate = (tried: Tried): Measured =>
  tried.isOpen ? letIn(tried) : { isStopped: true, text: `closed, ${seenOf(tried)}` };

/** What the chat calls those of whom it knows nothing. */
const nobody = "somebody";

const letIn = ({ name = nobody }: Tried): Measured => ({
  isStopped: false,
  text: `101, open${name === nobody ? "" : ` as ${name}`}, ping answered`,
});
