import { firstMessage, origin, tokenVerifier } from "@firmshake/node";
import { connect, type Sketch, type Way } from "./way.ts";

export const firstMessageWay: Way = {
  id: "first-message",
  title: "The first message",
  sentence:
    "For clients of a protocol that leaves no choice: the WebSocket is open before anybody is known, so it is bounded.",
  guide: "docs/guide/first-message.md",
  open: ({ guard, page, issuer, audience, jwksUri, tokens, onRefusedFirst }) => {
    // #region shown
    const policy = guard(origin([page]));
    const authenticate = firstMessage({
      verify: tokenVerifier({ issuer, audience, jwksUri }),
      timeoutMs: 1_500,
      maxBytes: 2_048,
      onRefused: onRefusedFirst,
    });
    // #endregion
    const saying = (text: string): readonly Sketch[] => [{ origin: page, firstMessage: text }];
    return {
      guard: policy,
      authenticate,
      acts: [
        connect({
          sentence: "The page says its token, and waits for the welcome.",
          sender: "page",
          handshakes: async () => saying(await tokens.sign("Ada")),
        }),
        {
          id: "late",
          label: "Say nothing",
          sentence: "The time runs from the hand-over; nothing makes it longer.",
          expected: 3008,
          sender: "page",
          handshakes: async () => [{ origin: page }],
        },
        {
          id: "large",
          label: "Say too much",
          sentence: "3,000 letters, where a token has some hundred.",
          expected: 1009,
          sender: "page",
          handshakes: async () => saying("x".repeat(3_000)),
        },
        {
          id: "expired",
          label: "Expired token",
          sentence: "One answer covers wrong, forged and expired.",
          expected: 3000,
          sender: "page",
          handshakes: async () => saying(await tokens.signExpired("Ada")),
        },
      ],
    };
  },
};
