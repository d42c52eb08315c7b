import { introspection, origin } from "@firmshake/node";
import { connect, type Sketch, type Way } from "./way.ts";

export const opaque: Way = {
  id: "opaque",
  title: "An opaque token",
  sentence: "For programs whose tokens must end the moment they are revoked: the issuer is asked.",
  guide: "docs/guide/openid-connect.md",
  open: ({ guard, page, audience, introspector, opaqueTokens }) => {
    const { endpoint, clientId, clientSecret } = introspector;
    // #region shown
    const policy = guard(
      origin([page], { allowMissing: true }),
      introspection({ endpoint, audience, clientId, clientSecret }),
    );
    // #endregion
    const sent = (issued: string): readonly Sketch[] => [
      { origin: undefined, lines: [["Authorization", `Bearer ${issued}`]] },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The issuer calls it active.",
          sender: "program",
          handshakes: async () => sent(opaqueTokens.issue("Clock")),
        }),
        {
          id: "revoked",
          label: "Revoked token",
          sentence: "It was good a moment ago, and has just been revoked.",
          expected: "token_invalid",
          sender: "program",
          handshakes: async () => {
            const issued = opaqueTokens.issue("Clock");
            opaqueTokens.revoke(issued);
            return sent(issued);
          },
        },
      ],
    };
  },
};
