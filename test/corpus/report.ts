import type { Result } from "./run-case.ts";

/** What is printed: notes, pending cases, failures, and last the numbers. */
export function reportLines(results: readonly Result[]): readonly string[] {
  const passed = results.filter(({ status }) => status === "passed").length;
  return [
    ...results.flatMap(({ id, notes }) => notes.map((note) => `note    ${id}: ${note}`)),
    ...results.flatMap((result) =>
      result.status === "pending"
        ? [`pending ${result.id}: needs ${result.details.join(", ")}`]
        : [],
    ),
    ...results.flatMap(failureLines),
    `corpus: ${passed}/${results.length}`,
  ];
}

function failureLines({ id, file, status, details, reason }: Result): readonly string[] {
  if (status !== "failed") return [];
  const why = reason === "" ? "" : ` [${reason}]`;
  return details.map((detail) => `FAILED  ${id} (${file}) ${detail}${why}`);
}
