import { jwt, origin, ticketRoute, tickets } from "@firmshake/node";
import { calculateJwkThumbprint, type JWK } from "jose";
import { answer, answerJson, readJson } from "../pages/handler.ts";
import type { Errand } from "../protocol.ts";
import { connect, type Way } from "./way.ts";

export const boundTicket: Way = {
  id: "bound-ticket",
  title: "A ticket bound to a key (DPoP)",
  sentence:
    "For pages whose tokens must be worth nothing to a thief: token and ticket work only with proofs by a key that cannot be read.",
  guide: "docs/guide/dpop.md",
  alsoShown: ["browser/bound-ticket.ts"],
  open: ({ guard, page, issuer, audience, jwksUri, tokens }) => {
    // #region shown
    const dpop = { origins: [page] };
    const entry = tickets({ dpop });
    const policy = guard(origin([page]), entry);
    const desk = ticketRoute(entry, {
      by: [jwt({ issuer, audience, jwksUri, dpop })],
      path: "/ways/bound-ticket",
    });
    // #endregion
    const from = "/bound-tickets";
    const tokenFrom = "/bound-tokens";
    const provenBy = (prover: NonNullable<Errand["bound"]>["provenBy"]): Errand => ({
      from,
      parameter: "ticket",
      bound: { tokenFrom, provenBy: prover },
    });
    const handshake = { origin: page };
    return {
      guard: policy,
      routes: {
        [`POST ${from}`]: desk,
        // As an authorization server that has seen a proof by the key.
        [`POST ${tokenFrom}`]: async (request, response) => {
          const jkt = await thumbprintOf(await readJson(request, maxKeyBytes));
          if (jkt === undefined) answer(response, 400);
          else answerJson(response, { token: await tokens.sign("Ada", { cnf: { jkt } }) });
        },
      },
      acts: [
        connect({
          sentence: "The ticket, and a second proof for the handshake.",
          sender: "page",
          errand: provenBy("owner"),
          handshakes: async () => [handshake],
        }),
        {
          id: "bare",
          label: "Stolen ticket",
          sentence: "A thief has read the ticket, and can prove nothing.",
          expected: "proof_invalid",
          sender: "page",
          errand: provenBy("nobody"),
          handshakes: async () => [handshake],
        },
        {
          id: "other-key",
          label: "Proven by another key",
          sentence: "The thief proves a key of their own.",
          expected: "proof_invalid",
          sender: "page",
          errand: provenBy("thief"),
          handshakes: async () => [handshake],
        },
        {
          id: "twice",
          label: "Use both twice",
          sentence: "Ticket and proof once more, as they stand in a log: the ticket is spent.",
          expected: "ticket_invalid",
          sender: "page",
          errand: provenBy("owner"),
          handshakes: async () => [handshake, handshake],
        },
      ],
    };
  },
};

const maxKeyBytes = 1_024;

/** RFC 7638; undefined for what is no key. */
const thumbprintOf = (jwk: unknown): Promise<string | undefined> =>
  calculateJwkThumbprint((jwk ?? {}) as JWK).catch(() => undefined);
