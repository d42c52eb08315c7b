import { type Attack, singleHandshake } from "./attack.ts";

export const forgottenPath: Attack = singleHandshake({
  id: "forgotten-path",
  title: "Forgotten path",
  sentence: "A WebSocket to a path that nobody put a guard on.",
  consequence:
    "Libraries accept more paths than the one you meant, so a second way in would stand open.",
  place: "own-page",
  sent: "A path without a guard",
  expected: "not_found",
  sketch: async ({ page, gated }) => ({
    target: gated.library.forgottenPath,
    origin: page,
  }),
});
