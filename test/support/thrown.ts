import { onTestFinished } from "vitest";

/** What would have ended the process, in the words of the event that says so. */
export interface Thrown {
  readonly event: "uncaughtException" | "unhandledRejection";
  readonly error: unknown;
}

/** Takes over what would end the process until the test is over; the list grows as it happens. */
export function captureThrown(): readonly Thrown[] {
  const captured: Thrown[] = [];
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    const before = process.listeners(event as "uncaughtException");
    process.removeAllListeners(event);
    process.on(event, (error: unknown) => void captured.push({ event, error }));
    onTestFinished(() => {
      process.removeAllListeners(event);
      for (const listener of before) process.on(event, listener);
    });
  }
  return captured;
}
