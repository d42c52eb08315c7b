import { jwt, origin, rateLimit } from "@firmshake/node";
import { chatProtocol } from "../policy.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const refusals: Way = {
  id: "refusals",
  title: "Refusals that a page can read",
  sentence:
    "For pages that should know why: browsers hide an HTTP answer, so the gate says it by a close frame, and @firmshake/client acts on it.",
  guide: "packages/client/README.md",
  alsoShown: ["server.ts", "browser/by-firm-socket.ts"],
  open: ({ guard, page, panel, issuer, audience, jwksUri, tokens }) => {
    // #region shown
    const limit = 5; // handshakes of one address at once
    const policy = guard(
      origin([page]),
      rateLimit({ limit, windowMs: 20_000 }),
      jwt({ issuer, audience, jwksUri }),
    );
    // #endregion
    const offered = (signed: string, from = page): Sketch => ({
      origin: from,
      protocols: ["bearer", signed, chatProtocol],
    });
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "FirmSocket asks for its token before each connection.",
          sender: "firm-socket",
          handshakes: async () => [offered(await tokens.sign("Ada"))],
        }),
        {
          id: "expired",
          label: "Expired token",
          sentence: "Terminal: the client stops, and does not come again with the same token.",
          expected: "token_invalid",
          sender: "firm-socket",
          handshakes: async () => [offered(await tokens.signExpired("Ada"))],
        },
        {
          id: "foreign",
          label: "From another origin",
          sentence:
            "Pages that may not connect are told nothing: an HTTP answer, which their browser hides.",
          expected: "origin_denied",
          sender: "other-origin",
          handshakes: async () => [offered(await tokens.sign("Ada"), panel)],
        },
        {
          id: "too-often",
          label: "Too often",
          sentence: "Retryable: the client waits as long as the reason says, and comes again.",
          expected: "rate_limited",
          sender: "firm-socket",
          handshakes: async () => {
            const signed = await tokens.sign("Ada");
            return Array.from({ length: limit + 1 }, () => offered(signed));
          },
        },
      ],
    };
  },
};
