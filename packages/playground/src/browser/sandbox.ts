import { tryHere } from "./attempt.ts";
import type { FromSandbox, ToSandbox } from "./messages.ts";

// The origin of this frame is null, so none can be named: what is said is no secret, and goes to the page around it alone.
addEventListener("message", ({ data, source }: MessageEvent<ToSandbox>) => {
  if (source !== parent) return;
  tryHere(data).then(
    (tried) => parent.postMessage({ attempt: data.attempt, tried } satisfies FromSandbox, "*"),
    () => undefined,
  );
});
parent.postMessage("ready", "*");
