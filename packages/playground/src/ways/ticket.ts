import { origin, ticketRoute, tickets } from "@firmshake/node";
import { type Visitor, waysCookie } from "../services/sessions.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const ticket: Way = {
  id: "ticket",
  title: "A ticket",
  sentence:
    "For pages that should not hold a token, or are of another origin than the login: a signed-in request gets one, for one use.",
  guide: "docs/guide/tickets.md",
  open: ({ guard, page, panel, sessions }) => {
    // #region shown
    const pages = [page, panel];
    const entry = tickets({ lifetimeMs: 30_000 });
    const policy = guard(origin(pages), entry);
    const desk = ticketRoute(entry, {
      identity: ({ user }: Visitor) => user && { subject: user.name },
      path: "/ways/ticket",
      origins: pages,
    });
    // #endregion
    const handshake = (id: string, origin = page): Sketch => ({
      origin,
      cookie: { name: waysCookie, value: id },
    });
    // Not below the path of the way: Socket.IO takes whatever begins with that for its own.
    const from = "/tickets";
    const errand = { from, parameter: "ticket" } as const;
    return {
      guard: policy,
      routes: {
        [`POST ${from}`]: (request, response) => {
          sessions.recognise(request);
          return desk(request, response);
        },
      },
      acts: [
        connect({
          sentence: "The page asks for a ticket, and opens the WebSocket with it.",
          sender: "page",
          errand,
          handshakes: async () => [handshake(sessions.start("Ada"))],
        }),
        {
          id: "twice",
          label: "Use it twice",
          sentence: "A ticket is spent by its first handshake.",
          expected: "ticket_invalid",
          sender: "page",
          errand,
          handshakes: async () => {
            const id = sessions.start("Ada");
            return [handshake(id), handshake(id)];
          },
        },
        {
          id: "elsewhere",
          label: "Use it at another origin",
          sentence: "Both origins may connect, but the ticket was given to the other page.",
          expected: "ticket_invalid",
          sender: "other-origin",
          errand,
          handshakes: async () => [handshake(sessions.start("Ada"), panel)],
        },
      ],
    };
  },
};
