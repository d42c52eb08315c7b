import { jwt, origin } from "@firmshake/node";
import { createProver, type Prover } from "../services/prover.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const dpop: Way = {
  id: "dpop",
  title: "A token with a proof (DPoP)",
  sentence: "For programs whose tokens must be worth nothing to a thief.",
  guide: "docs/guide/dpop.md",
  open: async ({ guard, page, issuer, audience, jwksUri, tokens }) => {
    // #region shown
    const policy = guard(
      origin([page], { allowMissing: true }),
      jwt({ issuer, audience, jwksUri, dpop: { origins: [page] } }),
    );
    // #endregion
    const clock = await createProver();
    const thief = await createProver();
    const proven = async (prover: Prover): Promise<Sketch> => {
      const signed = await tokens.sign("Clock", { cnf: { jkt: clock.thumbprint } });
      const proof = await prover.prove("GET", `${page}/ways/dpop`, signed);
      return {
        origin: undefined,
        lines: [
          ["Authorization", `DPoP ${signed}`],
          ["DPoP", proof],
        ],
      };
    };
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The proof is signed by the client’s key, for this one handshake.",
          sender: "program",
          handshakes: async () => [await proven(clock)],
        }),
        {
          id: "replayed",
          label: "Replay the proof",
          sentence:
            "The same token and proof once more, as somebody who read a log would send them.",
          expected: "proof_invalid",
          sender: "program",
          handshakes: async () => {
            const one = await proven(clock);
            return [one, one];
          },
        },
        {
          id: "stolen",
          label: "Stolen token",
          sentence: "A thief has the token, and proves a key of their own.",
          expected: "proof_invalid",
          sender: "program",
          handshakes: async () => [await proven(thief)],
        },
      ],
    };
  },
};
