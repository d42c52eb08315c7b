import yoctoSpinner, { type Spinner } from "yocto-spinner";
import { printable } from "../formats/printable.ts";
import type { AuditEvent } from "../index.ts";
import { checkList } from "../index.ts";

/** What a person sees on standard error while it runs. */
export interface Progress {
  readonly on: (event: AuditEvent) => void;
  readonly end: () => void;
}

/** One line that says what is being tried, and above it whatever was found to be weak. In a pipeline there is nothing. */
export function showProgress(target: string, isWatched: boolean): Progress {
  if (!isWatched) return { on: () => {}, end: () => {} };
  const spinner = yoctoSpinner({ text: printable(target), handleSignals: false }).start();
  return {
    on: (event) => show(event, spinner),
    end: () => {
      spinner.stop();
    },
  };
}

function show(event: AuditEvent, spinner: Spinner): void {
  switch (event.type) {
    case "baseline":
      spinner.text = printable(event.baseline.reason);
      return;
    case "check-started":
      spinner.text = `${event.index + 1}/${event.total} ${event.id} ${titleOf(event.id)}`;
      return;
    case "waiting":
      spinner.text = `waiting ${Math.ceil(event.forMs / 1_000)} s: ${printable(event.reason)}`;
      return;
    case "check-finished": {
      const { verdict, id, severity, title } = event.finding;
      if (verdict !== "fail") return;
      spinner.error(`${id} ${printable(title)} (${severity})`);
      spinner.start();
    }
  }
}

const titleOf = (id: string): string => checkList.find((check) => check.id === id)?.title ?? "";
