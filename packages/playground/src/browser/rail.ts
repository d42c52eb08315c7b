import type { Step } from "../protocol.ts";
import { element, icon } from "./dom.ts";

/** What the pills say of the checks. */
const labels: Readonly<Record<string, string>> = {
  rateLimit: "rate",
  maxConnections: "connections",
  jwt: "token",
  subprotocol: "protocol",
};

export const labelOf = (check: string): string => labels[check] ?? check;

/** The checks of a handshake in a row, with what each of them said. */
export const railOf = (steps: readonly Step[]): HTMLOListElement =>
  element("ol", { class: "rail" }, ...steps.map(pillOf));

const words: Readonly<Record<Step["outcome"], string>> = {
  allow: "passed",
  refuse: "refused",
  unreached: "not reached",
};

function pillOf({ check, outcome }: Step): HTMLLIElement {
  const pill = element("span", { class: "pill" });
  if (outcome !== "unreached") pill.append(icon(outcome === "allow" ? "check" : "cross"));
  pill.append(labelOf(check), element("span", { class: "visually-hidden" }, ` ${words[outcome]}`));
  return element("li", { class: `is-${outcome}` }, pill);
}
