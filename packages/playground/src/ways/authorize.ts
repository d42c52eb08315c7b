import { authorize, jwt, origin } from "@firmshake/node";
import { chatProtocol, closedAccount } from "../policy.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const authorizeWay: Way = {
  id: "authorize",
  title: "A service of yours decides",
  sentence: "For whoever that service knows: it says yes or no, and its outage refuses.",
  guide: "docs/guide/authorize.md",
  open: ({ guard, page, issuer, audience, jwksUri, tokens, authorizer }) => {
    const { url } = authorizer;
    // #region shown
    const policy = guard(
      origin([page]),
      jwt({ issuer, audience, jwksUri }),
      authorize(url), // no answer is a no
    );
    // #endregion
    const offered = async (name: string): Promise<readonly Sketch[]> => [
      { origin: page, protocols: ["bearer", await tokens.sign(name), chatProtocol] },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The service knows Ada, and lets her in.",
          sender: "page",
          handshakes: () => offered("Ada"),
        }),
        {
          id: "denied",
          label: "Somebody it does not know",
          sentence: `${closedAccount}’s token is good; the service says no.`,
          expected: "forbidden",
          sender: "page",
          handshakes: () => offered(closedAccount),
        },
        {
          id: "down",
          label: "While it is down",
          sentence: "The service hangs up instead of answering. Nobody is let in meanwhile.",
          expected: "authorization_unavailable",
          sender: "page",
          handshakes: () => {
            authorizer.failOnce();
            return offered("Ada");
          },
        },
      ],
    };
  },
};
