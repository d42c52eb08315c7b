import { jwt, origin, subprotocolToken } from "@firmshake/node";
import { chatProtocol } from "../policy.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const token: Way = {
  id: "token",
  title: "A token in the subprotocols",
  sentence: "For pages that hold an access token: it is in no URL, and no library gets to see it.",
  guide: "docs/guide/openid-connect.md",
  open: ({ guard, page, issuer, audience, jwksUri, tokens }) => {
    // #region shown
    const policy = guard(
      origin([page]),
      jwt({ issuer, audience, jwksUri, from: [subprotocolToken()] }),
    );
    // #endregion
    const offered = (signed: string): readonly Sketch[] => [
      { origin: page, protocols: ["bearer", signed, chatProtocol] },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The token is verified, then taken out of the offer.",
          sender: "page",
          handshakes: async () => offered(await tokens.sign("Ada")),
        }),
        {
          id: "expired",
          label: "Expired token",
          sentence: "A real token of Ada’s, over for an hour.",
          expected: "token_invalid",
          sender: "page",
          handshakes: async () => offered(await tokens.signExpired("Ada")),
        },
        {
          id: "other-audience",
          label: "Token for another service",
          sentence: "By the same issuer, for its shop: good there, and not here.",
          expected: "token_invalid",
          sender: "page",
          handshakes: async () => offered(await tokens.sign("Ada", { aud: "shop" })),
        },
      ],
    };
  },
};
