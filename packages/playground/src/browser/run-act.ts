import type { DecisionView, WayAttempt, WayOrder, WayResult } from "../protocol.ts";
import { seenOf, type Tried, tryHere } from "./attempt.ts";
import { fetchBoundTicket } from "./bound-ticket.ts";
import { tryByFirmSocket } from "./by-firm-socket.ts";
import { tryByFirstMessage } from "./by-first-message.ts";

/** Has a page of another origin make a handshake. */
export type TryElsewhere = (attempt: WayAttempt) => Promise<Tried>;

/** What a button has found out. */
export interface ActOutcome {
  readonly wire: readonly string[];
  readonly result: WayResult;
}

/** Asks the server what to send, sends it from this page where a page can, and tells what came back. */
export async function runAct(
  way: string,
  act: { readonly id: string; readonly expected: string | number },
  tryElsewhere: TryElsewhere,
): Promise<ActOutcome> {
  const answer = await fetch(`/orders/${way}/${act.id}`, { method: "POST" });
  const order = (await answer.json()) as WayOrder;
  const { wire } = order;
  if (order.kind === "measured") return { wire, result: order.result };
  const value = await bringFor(order);
  const texts: string[] = [];
  let result: WayResult | undefined;
  for (const attempt of order.attempts) {
    const tried = await send(withBrought(attempt, order, value), order, tryElsewhere);
    const decision = await decisionOf(attempt);
    result = { ...resultOf(tried, decision, act.expected), before: summaryOf(texts) };
    texts.push(result.text);
  }
  if (result === undefined) throw new Error("There was nothing to try.");
  return { wire, result };
}

type BrowserOrder = Extract<WayOrder, { kind: "browser" }>;

function send(
  attempt: WayAttempt,
  { sender, isByFirstMessage }: BrowserOrder,
  tryElsewhere: TryElsewhere,
): Promise<Tried> {
  if (sender === "other-origin") return tryElsewhere(attempt);
  if (sender === "firm-socket") return tryByFirmSocket(attempt);
  return isByFirstMessage ? tryByFirstMessage(attempt) : tryHere(attempt);
}

async function bringFor({ errand, attempts }: BrowserOrder): Promise<string | undefined> {
  if (errand === undefined) return undefined;
  const { from, bound } = errand;
  if (bound !== undefined) return fetchBoundTicket({ ...errand, bound }, attempts[0]?.url ?? "");
  const answer = await fetch(from, { method: "POST" });
  const { ticket, token = "" } = (await answer.json()) as Given;
  return ticket ?? token;
}

/** One of the two. */
interface Given {
  readonly ticket?: string;
  readonly token?: string;
}

function withBrought(
  attempt: WayAttempt,
  { errand }: BrowserOrder,
  value: string | undefined,
): WayAttempt {
  if (errand === undefined || value === undefined) return attempt;
  const url = new URL(attempt.url);
  url.searchParams.set(errand.parameter, value);
  return { ...attempt, url: url.href };
}

async function decisionOf({ attempt }: WayAttempt): Promise<DecisionView | undefined> {
  const answer = await fetch(`/attempts/${attempt}`);
  const decisions = (await answer.json()) as DecisionView | null;
  return decisions ?? undefined;
}

function resultOf(
  tried: Tried,
  decision: DecisionView | undefined,
  expected: string | number,
): Omit<WayResult, "before"> {
  const { isOpen, name, next = "" } = tried;
  const steps = decision?.steps ?? [];
  if (isOpen) {
    const who = name ?? decision?.subject ?? "somebody";
    return {
      isExpected: expected === "accepted",
      text: "101 accepted",
      title: `Open as ${who}.`,
      steps,
    };
  }
  if (decision?.outcome !== "refused") {
    return { isExpected: false, text: "no answer", title: "Nothing came back.", steps };
  }
  const { code, status, closeCode, title = "" } = decision;
  const seen = closeCode === undefined ? `The page saw no more than ${seenOf(tried)}.` : "";
  const text = code === undefined ? `101, closed with ${closeCode}` : `${status} ${code}`;
  return {
    // What was said by a close frame, the page has to have heard.
    isExpected:
      expected === (code ?? closeCode) &&
      (closeCode === undefined || closeCode === tried.closeCode),
    text,
    title: [title, seen, next].filter(Boolean).join(" "),
    steps,
    ...(code === undefined ? {} : { code }),
    ...(closeCode === undefined ? {} : { closeCode }),
  };
}

/** Of what came back before the last, equal ones counted: `5 × 101 accepted`. */
function summaryOf(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`)).join(", ");
}
