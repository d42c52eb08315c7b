import type { AuditLine } from "../audit-lines.ts";
import { byId } from "./dom.ts";

/** The buttons that have a server audited, and show its report. */
export function offerAudits(): void {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>("[data-audit]")];
  const stop = byId("audit-stop", HTMLButtonElement);
  let running: AbortController | undefined;

  async function run(button: HTMLButtonElement): Promise<void> {
    if (running !== undefined) return;
    running = new AbortController();
    for (const one of buttons) {
      one.setAttribute("aria-disabled", "true");
      one.removeAttribute("aria-current");
    }
    button.setAttribute("aria-current", "true");
    stop.hidden = false;
    byId("audit-result", HTMLDivElement).hidden = true;
    byId("audit-progress", HTMLDivElement).hidden = false;
    announce(`${button.textContent}: it has begun.`);
    try {
      for await (const line of linesOf(button.dataset.audit ?? "", running.signal)) show(line);
    } catch {
      end(running.signal.aborted ? "Stopped." : "The audit could not be run.");
    }
    for (const one of buttons) one.removeAttribute("aria-disabled");
    stop.hidden = true;
    running = undefined;
  }

  for (const button of buttons) button.addEventListener("click", () => void run(button));
  stop.addEventListener("click", () => running?.abort());
}

async function* linesOf(server: string, signal: AbortSignal): AsyncGenerator<AuditLine> {
  const { ok, body } = await fetch(`/audits/${server}`, { method: "POST", signal });
  if (!ok || body === null) throw new Error("It was refused.");
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let kept = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const [rest = "", ...lines] = `${kept}${value}`.split("\n").reverse();
    kept = rest;
    for (const line of lines.reverse()) yield JSON.parse(line) as AuditLine;
  }
}

function show(line: AuditLine): void {
  if (line.kind === "failed") throw new Error("It failed.");
  if (line.kind === "checking") {
    const { title, done, total, found } = line;
    const bar = byId("audit-bar", HTMLProgressElement);
    bar.max = total;
    bar.value = done;
    step(`${done + 1} of ${total}: ${title}`);
    byId("audit-found", HTMLParagraphElement).textContent = found === 0 ? "" : `${found} so far`;
    return;
  }
  const { report, outcome, verdict } = line;
  const result = byId("audit-result", HTMLDivElement);
  result.className = `window audit-result is-${outcome}`;
  byId("audit-verdict", HTMLHeadingElement).textContent = verdict;
  byId("audit-link", HTMLAnchorElement).href = report;
  byId("audit-report", HTMLIFrameElement).src = report;
  result.hidden = false;
  byId("audit-progress", HTMLDivElement).hidden = true;
  announce(`The audit has ended: ${verdict} The report is below.`);
}

function end(text: string): void {
  step(text);
  byId("audit-bar", HTMLProgressElement).value = 0;
  byId("audit-found", HTMLParagraphElement).textContent = "";
  announce(text);
}

const step = (text: string): void => {
  byId("audit-step", HTMLParagraphElement).textContent = text;
};

const announce = (text: string): void => {
  byId("audit-announcement", HTMLParagraphElement).textContent = text;
};
