import type { DecisionView } from "../protocol.ts";
import { byId, element } from "./dom.ts";
import { labelOf, railOf } from "./rail.ts";

const maxRows = 80;
/** Assistive technology is told at most that often, however fast decisions are made. */
const announceMs = 1_500;

/** How many of the newest rows take in decisions that equal theirs. */
const maxShared = 3;

interface Row {
  readonly kind: string;
  readonly times: HTMLElement;
  count: number;
}

/** The live decisions, newest first. Equal ones that follow each other closely share a row, or a flood would wash the rest away. */
export function startStream(
  events: EventSource,
  attemptTitles: Readonly<Record<string, string>>,
): void {
  const list = byId("stream", HTMLOListElement);
  const none = byId("no-decisions", HTMLParagraphElement);
  const tally = byId("tally", HTMLParagraphElement);
  const announcement = byId("announcement", HTMLParagraphElement);
  const counts = { accepted: 0, refused: 0 };
  let newest: readonly Row[] = [];
  let unannounced: DecisionView[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** What is known of the sender: the attack that it belongs to, or who it turned out to be. */
  const whoOf = ({ attack, subject }: DecisionView): string =>
    (attack === undefined ? undefined : attemptTitles[attack]) ?? subject ?? "Somebody";

  function add(decision: DecisionView): void {
    counts[decision.outcome === "accepted" ? "accepted" : "refused"]++;
    none.hidden = true;
    tally.textContent = `${counts.accepted} accepted, ${counts.refused} refused`;
    const who = whoOf(decision);
    const kind = [who, decision.path, verdictOf(decision)].join(" ");
    const equal = newest.find((row) => row.kind === kind);
    if (equal !== undefined) {
      equal.times.textContent = `× ${++equal.count}`;
    } else {
      const times = element("span", { class: "times" });
      list.prepend(rowOf(decision, who, times));
      newest = [{ kind, times, count: 1 }, ...newest].slice(0, maxShared);
      while (list.children.length > maxRows) list.lastElementChild?.remove();
    }
    unannounced.push(decision);
    if (timer === undefined) timer = setTimeout(announce, announceMs);
  }

  function announce(): void {
    timer = undefined;
    const last = unannounced.at(-1);
    announcement.textContent =
      unannounced.length === 1 && last !== undefined
        ? sentenceOf(last, whoOf(last))
        : `${unannounced.length} decisions, the last: ${last === undefined ? "" : sentenceOf(last, whoOf(last))}`;
    unannounced = [];
  }

  byId("clear", HTMLButtonElement).addEventListener("click", () => {
    list.replaceChildren();
    newest = [];
    counts.accepted = 0;
    counts.refused = 0;
    tally.textContent = "";
    none.hidden = false;
  });
  events.addEventListener("message", ({ data }) => add(JSON.parse(String(data)) as DecisionView));
}

const verdictOf = ({ outcome, transport, status, code, closeCode }: DecisionView): string => {
  if (outcome === "accepted") return transport === "polling" ? "polling accepted" : "101 accepted";
  if (outcome === "abandoned") return "client left";
  const said = [status, code].filter((part) => part !== undefined).join(" ");
  if (closeCode === undefined) return said;
  // Said by a close frame; without a code the connection was accepted before.
  return said === "" ? `closed with ${closeCode}` : `${said}, close code ${closeCode}`;
};

function sentenceOf(decision: DecisionView, who: string): string {
  const refusing = decision.steps.find(({ outcome }) => outcome === "refuse");
  const where = refusing === undefined ? "" : ` by the check of ${labelOf(refusing.check)}`;
  return `${who}, ${decision.path}: ${verdictOf(decision)}${where}.`;
}

function rowOf(decision: DecisionView, who: string, times: HTMLElement): HTMLLIElement {
  const { outcome, path, title, elapsedMs, at } = decision;
  const isAccepted = outcome === "accepted";
  const took = `${elapsedMs < 10 ? elapsedMs.toFixed(1) : Math.round(elapsedMs)} ms`;
  return element(
    "li",
    { class: "decision is-new" },
    element("p", { class: "who" }, who, " ", element("code", {}, path), " ", times),
    element("p", { class: "took", title: new Date(at).toLocaleTimeString() }, took),
    railOf(decision.steps),
    element(
      "p",
      { class: `verdict ${isAccepted ? "is-accepted" : "is-refused"}` },
      element("strong", {}, verdictOf(decision)),
      ...(title === undefined ? [] : [" ", title]),
    ),
  );
}
