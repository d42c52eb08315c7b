import { type Attack, singleHandshake } from "./attack.ts";

export const forgottenPath: Attack = singleHandshake({
  id: "forgotten-path",
  title: "Forgotten path",
  sentence: "A WebSocket to /debug, a path that nobody put a guard on.",
  consequence: "ws accepts every path of its server, so a second way in would stand open.",
  place: "own-page",
  sent: "A path without a guard",
  expected: "not_found",
  sketch: async ({ page }) => ({ target: "/debug", origin: page }),
});
