import { styleText } from "node:util";
import Table from "cli-table3";
import type { Report } from "./once.ts";
import type { WayResult } from "./protocol.ts";

/** How a report is drawn. */
export interface TableStyle {
  /** In characters. */
  readonly width: number;
  readonly hasColors: boolean;
  /** False where the gate was taken away from the first server as well. */
  readonly isGated: boolean;
}

/** A report as tables for a terminal. */
export function drawReport(
  { runsOn, attacks, legitimate, ways, isPassed }: Report,
  style: TableStyle,
): string {
  const paint = painter(style.hasColors);
  const good = (text: string): string => `${paint("green", "✔")} ${text}`;
  const bad = (text: string): string => `${paint("red", "✘")} ${text}`;
  const mark = (isGood: boolean, text: string): string => (isGood ? good(text) : bad(text));

  const servers = [
    style.isGated ? "With the gate" : "Gate taken away",
    "The same server without it",
  ];
  const stopped = attacks.filter(({ gated }) => gated.isStopped).length;
  const accepted = legitimate.filter(({ gated }) => gated.isAccepted).length;
  const expected = ways.filter(({ result }) => result.isExpected).length;
  return [
    paint("bold", `Attacks, on ${runsOn}`),
    tableOf(
      style,
      ["Attack", "What was sent", ...servers],
      paint,
    )(
      attacks.map(({ title, sent, gated, bare }) => [
        title,
        sent,
        mark(gated.isStopped, gated.text),
        mark(bare.isStopped, bare.text),
      ]),
    ),
    "",
    paint("bold", "Legitimate handshakes"),
    tableOf(
      style,
      ["Client", "What was sent", ...servers],
      paint,
    )(
      legitimate.map(({ title, sent, gated, bare }) => [
        title,
        sent,
        mark(gated.isAccepted, gated.text),
        mark(bare.isAccepted, bare.text),
      ]),
    ),
    "",
    paint("bold", "Ways to prove who you are"),
    tableOf(
      style,
      ["Way", "What was tried", servers[0] ?? "", "Before that"],
      paint,
    )(
      ways.map(({ title, tried, result }, index) => [
        title === ways[index - 1]?.title ? "" : title,
        tried,
        mark(result.isExpected, wordsOf(result)),
        result.before,
      ]),
    ),
    "",
    "Accepted means: 101 (200 by polling), then open and a ping answered. The reset ran without the gate in a process of its own, with authentication",
    "as it is written by hand.",
    "",
    mark(
      isPassed,
      `${stopped} of ${attacks.length} attacks refused, ${accepted} of ${legitimate.length} legitimate handshakes accepted, ${expected} of ${ways.length} attempts at the ways answered as they must be.`,
    ),
  ].join("\n");
}

/** What was said by a close frame has its code behind it. */
export const wordsOf = ({ text, code, closeCode }: WayResult): string =>
  code === undefined || closeCode === undefined ? text : `${text}, close ${closeCode}`;

type Paint = (format: "bold" | "green" | "red" | "dim", text: string) => string;

const painter =
  (hasColors: boolean): Paint =>
  (format, text) =>
    hasColors ? styleText(format, text) : text;

/** No lines but the one under the head, which is a row of its own. */
const ruled = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  right: "",
  "right-mid": "",
  middle: " ",
  mid: "",
  "mid-mid": "",
};

function tableOf({ width }: TableStyle, head: readonly string[], paint: Paint) {
  const gaps = head.length - 1;
  const room = Math.max(80, Math.min(width, 150)) - gaps;
  const colWidths = [0.2, 0.28, 0.26, 0.26].map((share) => Math.floor(room * share));
  return (rows: readonly (readonly string[])[]): string => {
    const table = new Table({
      head: head.map((text) => paint("bold", text)),
      colWidths,
      wordWrap: true,
      chars: ruled,
      style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
    });
    table.push(colWidths.map((columns) => paint("dim", "─".repeat(columns))));
    table.push(...rows.map((row) => [...row]));
    return trimmed(table.toString());
  };
}

const trimmed = (text: string): string => text.replace(/ +$/gm, "");
