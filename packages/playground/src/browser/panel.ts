import type { AttackView, BrowserAttempt, Measured, Place } from "../protocol.ts";
import { type Outcome, runAttack, tryHere } from "./attempt.ts";
import { byId, element, icon } from "./dom.ts";
import type { ToPage, ToPanel } from "./messages.ts";
import { trySandboxed } from "./sandboxed.ts";

const titles: Readonly<Record<Place, string>> = {
  "other-origin": "From this page, which is of another origin",
  sandbox: "From a sandboxed frame",
  "own-page": "From the chat’s own page, by somebody with no right to be there",
  program: "From a program, without a browser",
};

/** One attack's row. */
interface Row {
  readonly run: () => Promise<void>;
}

const { page, attacks } = (await (await fetch("/attacks")).json()) as {
  readonly page: string;
  readonly attacks: readonly AttackView[];
};
const runAll = byId("run-all", HTMLButtonElement);
const summary = byId("summary", HTMLOutputElement);
const announcement = byId("announcement", HTMLParagraphElement);
const stopped = new Map<string, boolean>();
const rows: Row[] = [];

byId("explanation", HTMLSpanElement).textContent =
  "This frame is a page of another origin. Each attack goes to the gated server, then to the same server without its gate.";
byId("groups", HTMLDivElement).append(...groups());
runAll.addEventListener("click", () => void runEach());

const tell = (message: ToPage): void => parent.postMessage(message, page);
addEventListener("message", ({ data, origin, source }: MessageEvent<ToPanel>) => {
  if (source !== parent || origin !== page) return;
  if (data.type === "theme") document.documentElement.dataset.theme = data.theme;
  if (data.type === "try") void tryForPage(data.attempt);
});
new ResizeObserver(() =>
  tell({ type: "height", pixels: document.documentElement.offsetHeight }),
).observe(document.documentElement);
tell({ type: "ready" });

async function tryForPage(order: BrowserAttempt): Promise<void> {
  tell({ type: "tried", attempt: order.attempt, tried: await tryHere(order) });
}

function groups(): readonly HTMLElement[] {
  const places = [...new Set(attacks.map(({ place }) => place))];
  return places.map((place) => {
    const list = element("ul", {}, ...attacks.filter((one) => one.place === place).map(attackRow));
    const id = `group-${place}`;
    return element(
      "section",
      { class: "group", "aria-labelledby": id },
      element("h2", { id }, titles[place]),
      list,
    );
  });
}

function attackRow(attack: AttackView): HTMLLIElement {
  const { id, title, sentence, consequence } = attack;
  const button = element(
    "button",
    { class: "button", type: "button", "aria-describedby": `${id}-title` },
    "Run",
  );
  const state = element("span", { class: "state" }, icon("ring"));
  const gated = element("div", { hidden: "" });
  const bare = element("div", {}, element("dt", {}, "No gate"), element("dd", {}, consequence));
  const row = element(
    "li",
    { class: "attack", id },
    state,
    element("h3", { id: `${id}-title` }, title),
    button,
    element("p", { class: "sentence" }, sentence),
    element("dl", { class: "results" }, gated, bare),
  );
  let isRunning = false;

  async function run(): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    button.setAttribute("aria-disabled", "true");
    row.className = "attack is-running";
    state.replaceChildren(turning());
    const outcome = await outcomeOf(attack).catch(() => undefined);
    show(outcome);
    button.removeAttribute("aria-disabled");
    button.textContent = "Run again";
    isRunning = false;
  }

  function show(outcome: Outcome | undefined): void {
    const isStopped = outcome?.gated.isStopped === true;
    stopped.set(id, isStopped);
    row.className = `attack ${isStopped ? "is-stopped" : "is-let-in"}`;
    state.replaceChildren(icon(isStopped ? "shield" : "breach"));
    gated.hidden = false;
    const failed: Measured = { isStopped: false, text: "could not be run" };
    gated.replaceChildren(...resultOf("Gate", outcome?.gated ?? failed));
    gated.className = isStopped ? "is-good" : "is-bad";
    if (outcome !== undefined) {
      const { isStopped: isBareStopped, text, detail = consequence } = outcome.bare;
      bare.replaceChildren(...resultOf("No gate", { isStopped: isBareStopped, text, detail }));
      bare.className = isBareStopped ? "is-good" : "is-bad";
    }
    announcement.textContent = `${title}: ${isStopped ? "stopped" : "not stopped"}, ${outcome?.gated.text ?? failed.text}.`;
    const count = [...stopped.values()].filter(Boolean).length;
    summary.textContent = `${count} of ${stopped.size} attacks stopped.`;
  }

  button.addEventListener("click", () => void run());
  rows.push({ run });
  return row;
}

function resultOf(term: string, { text, detail = "" }: Measured): readonly HTMLElement[] {
  return [element("dt", {}, term), element("dd", {}, element("strong", {}, text), " ", detail)];
}

function turning(): SVGSVGElement {
  const arc = icon("arc");
  arc.classList.add("is-turning");
  return arc;
}

async function runEach(): Promise<void> {
  if (runAll.getAttribute("aria-disabled") === "true") return;
  runAll.setAttribute("aria-disabled", "true");
  for (const { run } of rows) await run();
  runAll.removeAttribute("aria-disabled");
}

function outcomeOf({ id, place }: AttackView): Promise<Outcome> {
  if (place === "own-page") return runInPage(id);
  return runAttack(id, place === "sandbox" ? trySandboxed : tryHere);
}

/** What the page can be talked into is an attack of its own list, and no more. */
function runInPage(attack: string): Promise<Outcome> {
  if (parent === window) return Promise.reject(new Error("There is no page around the panel."));
  return new Promise((resolve, reject) => {
    const listen = ({ data, origin, source }: MessageEvent<ToPanel>): void => {
      if (source !== parent || origin !== page) return;
      if (data.type !== "outcome" || data.attack !== attack) return;
      removeEventListener("message", listen);
      if (data.outcome === undefined) reject(new Error("The page could not run it."));
      else resolve(data.outcome);
    };
    addEventListener("message", listen);
    tell({ type: "run", attack });
  });
}
