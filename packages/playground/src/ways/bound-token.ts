import { boundToCertificate, jwt, origin } from "@firmshake/node";
import { type KeyAndCertificate, thumbprintOf } from "../services/certificates.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const boundToken: Way = {
  id: "bound-token",
  title: "A token bound to a certificate",
  sentence: "The same for programs that have a TLS certificate anyway.",
  guide: "docs/guide/client-certificates.md",
  listener: "tls",
  open: ({ guard, page, issuer, audience, jwksUri, tokens, certificates }) => {
    // #region shown
    const policy = guard(
      origin([page], { allowMissing: true }),
      jwt({ issuer, audience, jwksUri, certificateBound: true }),
      boundToCertificate(),
    );
    // #endregion
    const { billing, reports } = certificates;
    const sent = async (certificate?: KeyAndCertificate): Promise<readonly Sketch[]> => {
      const cnf = { "x5t#S256": thumbprintOf(billing) };
      const line = ["Authorization", `Bearer ${await tokens.sign("Billing", { cnf })}`] as const;
      return [{ origin: undefined, lines: [line], ...(certificate && { certificate }) }];
    };
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The token names the certificate that the client presents.",
          sender: "program",
          handshakes: () => sent(billing),
        }),
        {
          id: "stolen",
          label: "Stolen by another service",
          sentence: "Good certificate, good token, and the two do not belong together.",
          expected: "token_invalid",
          sender: "program",
          handshakes: () => sent(reports),
        },
        {
          id: "bare",
          label: "Without a certificate",
          sentence: "The token alone.",
          expected: "token_invalid",
          sender: "program",
          handshakes: () => sent(),
        },
      ],
    };
  },
};
