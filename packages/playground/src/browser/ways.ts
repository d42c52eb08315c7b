import type { ActView, Sender, WayResult, WayView } from "../protocol.ts";
import { byId, element, icon } from "./dom.ts";
import { railOf } from "./rail.ts";
import { type ActOutcome, runAct, type TryElsewhere } from "./run-act.ts";

/** A card for each way, with buttons that try it. */
export function showWays(ways: readonly WayView[], tryElsewhere: TryElsewhere): void {
  byId("ways", HTMLDivElement).append(...ways.map((way) => cardOf(way, tryElsewhere)));
}

function cardOf(way: WayView, tryElsewhere: TryElsewhere): HTMLElement {
  const { id, title, sentence, code, guide, acts } = way;
  const titleId = `way-${id}`;
  const wire = element("pre", { class: "wire" });
  const outcome = element("div", { class: "outcome", hidden: "" });
  const caption = element("p", { class: "caption" });
  const showWire = (lines: readonly string[], sender: Sender = "page"): void => {
    caption.textContent = `On the wire, ${senders[sender]}`;
    wire.replaceChildren(lines.join("\n"));
  };
  let isRunning = false;

  async function run(act: ActView, button: HTMLButtonElement): Promise<void> {
    if (isRunning) return;
    isRunning = true;
    for (const one of buttons) one.setAttribute("aria-disabled", "true");
    card.setAttribute("aria-busy", "true");
    const found = await runAct(id, act, tryElsewhere).catch(() => undefined);
    if (found !== undefined) showWire(found.wire, act.sender);
    const { isExpected, text } = found?.result ?? failed;
    outcome.hidden = false;
    outcome.className = `outcome ${isExpected ? "is-good" : "is-bad"}`;
    outcome.replaceChildren(...partsOf(act, way, found));
    announcement().textContent = `${title}, ${act.label}: ${text}, ${isExpected ? "as it must be" : "which must not be"}.`;
    card.removeAttribute("aria-busy");
    for (const one of buttons) {
      one.removeAttribute("aria-disabled");
      one.removeAttribute("aria-current");
    }
    // Whose outcome is shown.
    button.setAttribute("aria-current", "true");
    isRunning = false;
  }

  const buttons = acts.map((act) => {
    const isAttack = act.expected !== "accepted";
    const button = element(
      "button",
      { class: isAttack ? "button" : "button is-primary", type: "button", "data-act": act.id },
      act.label,
    );
    button.addEventListener("click", () => void run(act, button));
    return button;
  });
  const card = element(
    "article",
    { class: "window way", id: titleId, "aria-labelledby": `${titleId}-title` },
    element(
      "div",
      { class: "window-head" },
      element("h3", { id: `${titleId}-title` }, title),
      element(
        "a",
        { class: "link", href: `/${guide}`, "aria-label": `${title}: the guide` },
        "Guide",
      ),
    ),
    element(
      "div",
      { class: "way-body" },
      element("p", { class: "sentence" }, sentence),
      element("pre", { class: "code" }, code),
      caption,
      wire,
      element("div", { class: "acts" }, ...buttons),
      outcome,
    ),
  );
  showWire(way.wire, acts[0]?.sender);
  return card;
}

const senders: Readonly<Record<Sender, string>> = {
  page: "from this page",
  "firm-socket": "from this page by @firmshake/client",
  "other-origin": "from the page in the attack panel",
  program: "from a program",
};

const announcement = (): HTMLElement => byId("ways-announcement", HTMLParagraphElement);

const failed = { isExpected: false, text: "could not be tried", title: "" } as const;

function partsOf(
  { sentence }: ActView,
  { guide }: WayView,
  found: ActOutcome | undefined,
): readonly HTMLElement[] {
  if (found === undefined) return [element("p", {}, element("strong", {}, failed.text))];
  const { isExpected, text, title, code, closeCode, before, steps } = found.result;
  const closed = code === undefined || closeCode === undefined ? "" : `, close code ${closeCode}`;
  return [
    element(
      "p",
      { class: "verdict" },
      icon(isExpected ? "shield" : "breach"),
      ...(before === "" ? [] : [element("span", { class: "before" }, `${before}, then`), " "]),
      element("strong", {}, `${text}${closed}`),
    ),
    element("p", { class: "meaning" }, `${sentence} ${title} `, ...linkOf(found.result, guide)),
    railOf(steps),
  ];
}

/** Where more is said of a refusal; close codes of the application's own are in its guide. */
function linkOf({ code, closeCode }: WayResult, guide: string): readonly HTMLElement[] {
  if (code !== undefined) {
    return [element("a", { href: `/errors#${code}` }, `docs/errors.md: ${code}`)];
  }
  return closeCode === undefined ? [] : [element("a", { href: `/${guide}` }, guide)];
}
