import type { BrowserAttempt } from "../protocol.ts";
import type { Outcome, Tried } from "./attempt.ts";

/** What the panel says to the page around it. */
export type ToPage =
  | { readonly type: "ready" }
  | { readonly type: "height"; readonly pixels: number }
  /** What came of a handshake that the page has asked for. */
  | { readonly type: "tried"; readonly attempt: string; readonly tried: Tried }
  /** The page is asked for an attack of its own list; it makes the handshake itself. */
  | { readonly type: "run"; readonly attack: string };

/** What the page says to the panel. */
export type ToPanel =
  | { readonly type: "theme"; readonly theme: "light" | "dark" }
  /** The panel is asked to make a handshake, as the page of another origin that it is. */
  | { readonly type: "try"; readonly attempt: BrowserAttempt }
  | { readonly type: "outcome"; readonly attack: string; readonly outcome: Outcome | undefined };

/** What the panel says to its sandboxed frame, and the answer. */
export type ToSandbox = BrowserAttempt;
export interface FromSandbox {
  readonly attempt: string;
  readonly tried: Tried;
}
