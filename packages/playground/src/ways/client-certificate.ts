import { clientCertificate, origin } from "@firmshake/node";
import type { KeyAndCertificate } from "../services/certificates.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const clientCertificateWay: Way = {
  id: "client-certificate",
  title: "A client certificate",
  sentence: "For services and devices with certificates: TLS has proved it before the handshake.",
  guide: "docs/guide/client-certificates.md",
  listener: "tls",
  open: ({ guard, page, certificates }) => {
    // #region shown
    const policy = guard(
      origin([page], { allowMissing: true }),
      clientCertificate({ subject: "san-dns" }),
    );
    // #endregion
    const sent = (certificate?: KeyAndCertificate): readonly Sketch[] => [
      { origin: undefined, ...(certificate && { certificate }) },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "Its name is the subject: billing.internal.",
          sender: "program",
          handshakes: async () => sent(certificates.billing),
        }),
        {
          id: "other-authority",
          label: "Of another authority",
          sentence: "The same name, and nobody here has heard of who signed it.",
          expected: "unauthorized",
          sender: "program",
          handshakes: async () => sent(certificates.stranger),
        },
        {
          id: "none",
          label: "Without one",
          sentence: "TLS asks, and the client has none to show.",
          expected: "unauthorized",
          sender: "program",
          handshakes: async () => sent(),
        },
      ],
    };
  },
};
