import { onTestFinished } from "vitest";

/** The process's warnings with a code of ours, from now until the test is over. */
export function captureWarnings(): readonly string[] {
  const codes: string[] = [];
  const note = (warning: Error & { code?: string }): void => {
    if (warning.code?.startsWith("FIRMSHAKE_")) codes.push(warning.code);
  };
  process.on("warning", note);
  onTestFinished(() => void process.off("warning", note));
  return codes;
}
