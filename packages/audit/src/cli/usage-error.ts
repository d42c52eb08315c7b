/** What the user has to mend: one clear sentence with the fix, and no stack. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What went wrong, for one line on the terminal. */
export function sentenceOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const [line = ""] = text.split("\n");
  return line;
}
