import { jwt, origin } from "@firmshake/node";
import { unsignedToken } from "../issuer.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const bearer: Way = {
  id: "bearer",
  title: "A bearer token",
  sentence: "For programs with tokens of an OAuth server: nothing to build.",
  guide: "docs/guide/openid-connect.md",
  open: ({ guard, page, issuer, audience, jwksUri, tokens }) => {
    // #region shown
    const policy = guard(
      origin([page], { allowMissing: true }), // programs send none
      jwt({ issuer, audience, jwksUri }),
    );
    // #endregion
    const sent = (signed: string): readonly Sketch[] => [
      { origin: undefined, lines: [["Authorization", `Bearer ${signed}`]] },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The header that every HTTP client knows.",
          sender: "program",
          handshakes: async () => sent(await tokens.sign("Clock")),
        }),
        {
          id: "expired",
          label: "Expired token",
          sentence: "It ended an hour ago.",
          expected: "token_invalid",
          sender: "program",
          handshakes: async () => sent(await tokens.signExpired("Clock")),
        },
        {
          id: "unsigned",
          label: "Unsigned token",
          sentence: "Its header says alg: none, and asks to be believed.",
          expected: "token_invalid",
          sender: "program",
          handshakes: async () => sent(unsignedToken(issuer, "Clock")),
        },
      ],
    };
  },
};
