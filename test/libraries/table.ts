import type { BehaviourId } from "./library.ts";

/** One row of the table, as far as it is known. */
export interface Row {
  readonly library: string;
  readonly version: string;
  readonly lacks: { readonly [behaviour in BehaviourId]?: string };
}

interface Column {
  readonly id: BehaviourId;
  readonly heading: string;
  readonly title: string;
}

/** The page on which a run of the tests is shown. */
export function compatibilityPage(
  columns: readonly Column[],
  rows: readonly Row[],
  nodeVersion: string,
): string {
  const notes = [...new Set(rows.flatMap(({ lacks }) => Object.values(lacks)))];
  const cellOf = ({ lacks }: Row, { id }: Column): string => {
    const reason = lacks[id];
    return reason === undefined ? "✓" : `–<sup>${notes.indexOf(reason) + 1}</sup>`;
  };
  const lines = [
    ["library", "version", ...columns.map(({ heading }) => heading)],
    ["---", "---", ...columns.map(() => ":-:")],
    ...rows.map((row) => [
      row.library,
      row.version,
      ...columns.map((column) => cellOf(row, column)),
    ]),
  ];
  return [
    "# Compatibility",
    "",
    introduction,
    "",
    ...lines.map((cells) => `| ${cells.join(" | ")} |`),
    "",
    "## What the columns say",
    "",
    ...columns.map(({ heading, title }) => `- **${heading}**: ${title}.`),
    "",
    "## What a library cannot have",
    "",
    ...notes.map((note, index) => `${index + 1}. ${note.charAt(0).toUpperCase()}${note.slice(1)}.`),
    "",
    `Made by \`npm run compatibility\` on Node ${nodeVersion}. The same tests run on each supported line of Node.`,
    "",
  ].join("\n");
}

/** The version in the page's last line. */
export const nodeVersionIn = (page: string): string => / on Node (\S+)\. /.exec(page)?.[1] ?? "";

const introduction = `Firmshake stands in front of the library and is no part of it: \`attach(server, ...)\` is the same for all of them. Each library below was
started in its ordinary way, at the version shown, reached by its own client over a real socket, and put through the same tests
([\`test/libraries\`](../test/libraries)). ✓ is a test that passed; – is something that the library cannot have, with or without a gate.

Transports that are no WebSockets are held as well: those of Socket.IO by themselves, those of SockJS where their paths are named in the
gate's option \`polling\`.`;
