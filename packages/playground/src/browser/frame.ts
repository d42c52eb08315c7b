import type { BrowserAttempt } from "../protocol.ts";
import { runAttack, type Tried, tryHere } from "./attempt.ts";
import { byId } from "./dom.ts";
import type { ToPage, ToPanel } from "./messages.ts";
import { onTheme, shownTheme } from "./theme.ts";

const patienceMs = 6_000;

/**
 * Shows the attack panel. It is foreign: it is told of nothing but the theme and the handshakes that it is to try, and may ask for nothing
 * but an attack by its name.
 *
 * @returns what has the panel make a handshake.
 */
export function showPanel(origin: string): (attempt: BrowserAttempt) => Promise<Tried> {
  const frame = byId("panel", HTMLIFrameElement);
  const tell = (message: ToPanel): void => frame.contentWindow?.postMessage(message, origin);
  const waiting = new Map<string, (tried: Tried) => void>();
  const tellTheme = (): void => tell({ type: "theme", theme: shownTheme() });

  addEventListener("message", ({ data, origin: sender, source }: MessageEvent<ToPage>) => {
    if (sender !== origin || source !== frame.contentWindow) return;
    if (data.type === "ready") tellTheme();
    if (data.type === "height") frame.style.height = `${Math.min(data.pixels, 10_000)}px`;
    if (data.type === "tried") waiting.get(data.attempt)?.(data.tried);
    if (data.type !== "run") return;
    const { attack } = data;
    // The name goes into a path: the server knows its own attacks, and nothing but a name gets there.
    runAttack(encodeURIComponent(attack), tryHere).then(
      (outcome) => tell({ type: "outcome", attack, outcome }),
      () => tell({ type: "outcome", attack, outcome: undefined }),
    );
  });
  onTheme(tellTheme);
  frame.src = `${origin}/`;
  return ({ attempt, url, protocols, library }) =>
    new Promise((resolve) => {
      const settle = (tried: Tried): void => {
        clearTimeout(deadline);
        waiting.delete(attempt);
        resolve(tried);
      };
      const deadline = setTimeout(() => settle({ isOpen: false }), patienceMs);
      waiting.set(attempt, settle);
      tell({ type: "try", attempt: { attempt, url, protocols, library } });
    });
}
