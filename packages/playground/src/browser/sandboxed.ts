import type { BrowserAttempt } from "../protocol.ts";
import type { Tried, Tryer } from "./attempt.ts";
import { element } from "./dom.ts";
import type { FromSandbox } from "./messages.ts";

const patienceMs = 6_000;

/** Makes the handshake in a frame that may run scripts and has no origin of its own. */
export const trySandboxed: Tryer = (attempt: BrowserAttempt): Promise<Tried> => {
  const frame = element("iframe", {
    class: "sandbox",
    sandbox: "allow-scripts",
    src: "/sandbox",
    title: "Sandboxed frame",
    "aria-hidden": "true",
    tabindex: "-1",
  });
  return new Promise((resolve) => {
    const settle = (tried: Tried): void => {
      clearTimeout(deadline);
      removeEventListener("message", listen);
      frame.remove();
      resolve(tried);
    };
    const deadline = setTimeout(() => settle({ isOpen: false }), patienceMs);
    const listen = ({ data, source }: MessageEvent<"ready" | FromSandbox>): void => {
      if (source !== frame.contentWindow) return;
      if (data === "ready") {
        frame.contentWindow?.postMessage(attempt, "*");
        return;
      }
      if (data.attempt === attempt.attempt) settle(data.tried);
    };
    addEventListener("message", listen);
    document.body.append(frame);
  });
};
