import { newAttempt } from "../attacks/attack.ts";
import { type Answer, type Manner, shakeHands } from "../handshake-client.ts";
import type { Lab, Target } from "../lab.ts";
import { ws } from "../libraries/ws.ts";
import type { WayResult } from "../protocol.ts";
import { runErrand } from "./run-errand.ts";
import type { Act, LiveWay, Sketch } from "./way.ts";
import { openingAt } from "./wire.ts";

/** Does from Node what a button does, and measures what comes back. */
export async function measureAct(
  lab: Lab,
  way: LiveWay,
  act: Act,
  sketches: readonly Sketch[],
): Promise<WayResult> {
  const target = targetOf(lab, way);
  const brought = act.errand && (await runErrand(lab, way, act.errand, sketches));
  const texts: string[] = [];
  let result: WayResult | undefined;
  for (const sketch of sketches) {
    const attempt = attemptAt(way, act);
    const opening = openingAt(way, sketch, target, { attempt, brought });
    const answer = await shakeHands(target, opening, mannerOf(lab, way, sketch));
    // It was decided before it was answered; of a first message the last word counts.
    const decision = lab.log.recent().findLast((one) => one.attempt === attempt);
    result = { ...resultOf(answer, act), steps: decision?.steps ?? [], before: summaryOf(texts) };
    texts.push(result.text);
  }
  if (result === undefined) throw new Error(`${way.id} ${act.id} tries nothing.`);
  return result;
}

/** A name for one attempt, which says what is tried. */
export const attemptAt = ({ id }: Pick<LiveWay, "id">, act: Pick<Act, "id">): string =>
  newAttempt(`${id}-${act.id}`);

/** Where a way stands, and what is spoken there: no library of its own reads first messages. */
export function targetOf({ gated, tls }: Lab, { listener, authenticate }: LiveWay): Target {
  const target = listener === "tls" ? tls : gated;
  return authenticate === undefined ? target : { ...target, library: ws };
}

function mannerOf({ certificates }: Lab, { listener }: LiveWay, sketch: Sketch): Manner {
  const { certificate, firstMessage } = sketch;
  return {
    ...(listener === "tls" ? { tls: { ca: certificates.server.cert, certificate } } : {}),
    ...(firstMessage === undefined ? {} : { firstMessage }),
  };
}

type Outcome = Omit<WayResult, "steps" | "before">;

function resultOf(
  { status, code, title, closeCode, isAlive, events }: Answer,
  { expected }: Act,
): Outcome {
  const welcome = events.find((event) => event.type === "welcome");
  if (status === 101 && isAlive) {
    return {
      isExpected: expected === "accepted",
      text: "101 accepted",
      title: `Open as ${welcome?.name}, ping answered.`,
    };
  }
  if (status === 0) return { isExpected: false, text: "no answer", title: "Nothing came back." };
  return {
    isExpected: expected === (code ?? closeCode),
    text: code === undefined ? `101, closed with ${closeCode}` : `${status} ${code}`,
    title: title ?? "",
    ...(code === undefined ? {} : { code }),
    ...(closeCode === undefined ? {} : { closeCode }),
  };
}

/** Of what came back before the last, equal ones counted: `5 × 401 token_invalid`. */
function summaryOf(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => (count === 1 ? text : `${count} × ${text}`)).join(", ");
}
