import type { CloseView } from "../protocol.ts";
import { durationOf } from "./connections.ts";
import { byId, element } from "./dom.ts";

const maxRows = 50;

/** What the gate has closed, newest first. */
export function showCloses(events: EventSource, announce: (text: string) => void): void {
  const list = byId("closes", HTMLOListElement);
  const none = byId("no-closes", HTMLParagraphElement);
  // After an outage those that are known are told once more.
  const known = new Set<string>();

  events.addEventListener("closed-connection", ({ data }) => {
    const close = JSON.parse(data) as CloseView;
    if (known.has(close.id)) return;
    known.add(close.id);
    none.hidden = true;
    list.prepend(rowOf(close));
    while (list.children.length > maxRows) list.lastElementChild?.remove();
    announce(`Closed: ${nameOf(close)}, ${close.closeCode} ${close.reason}.`);
  });
  byId("clear-closes", HTMLButtonElement).addEventListener("click", () => {
    list.replaceChildren();
    none.hidden = false;
  });
}

const nameOf = ({ subject = "Somebody" }: CloseView): string => subject;

function rowOf(close: CloseView): HTMLLIElement {
  const { at, path, openMs, code, closeCode, reason, title } = close;
  const said = `${closeCode} ${reason}`.trim();
  return element(
    "li",
    { class: "close is-new", "data-code": code ?? "" },
    element("p", { class: "who" }, nameOf(close), " ", element("code", {}, path)),
    element(
      "p",
      { class: "took", title: new Date(at).toLocaleTimeString() },
      `after ${durationOf(openMs)}`,
    ),
    element(
      "p",
      { class: "verdict" },
      code === undefined
        ? element("strong", {}, said)
        : element("a", { href: `/errors#${code}` }, element("strong", {}, said)),
      ...(title === undefined ? [] : [" ", title]),
    ),
  );
}
