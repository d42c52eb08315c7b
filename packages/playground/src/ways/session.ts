import { identity, origin } from "@firmshake/node";
import { type Visitor, waysCookie } from "../services/sessions.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const session: Way = {
  id: "session",
  title: "A session",
  sentence: "For pages of an application where people sign in: the cookie is there already.",
  guide: "docs/guide/sessions.md",
  open: ({ guard, page, panel, sessions }) => {
    // #region shown
    // Behind your session middleware, which runs on upgrades too.
    const policy = guard(
      origin([page]),
      identity(({ user }: Visitor) => user && { subject: user.name }),
    );
    // #endregion
    const withSession = (id: string, from = page): readonly Sketch[] => [
      { origin: from, cookie: { name: waysCookie, value: id } },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The browser sends the cookie by itself.",
          sender: "page",
          handshakes: async () => withSession(sessions.start("Ada")),
        }),
        {
          id: "signed-out",
          label: "After signing out",
          sentence: "A cookie of a session that has ended opens nothing.",
          expected: "unauthorized",
          sender: "page",
          handshakes: async () => {
            const id = sessions.start("Ada");
            sessions.end(id);
            return withSession(id);
          },
        },
        {
          id: "foreign",
          label: "From another origin",
          sentence:
            "The browser adds Ada’s cookie, whichever page asks; the origin tells them apart.",
          expected: "origin_denied",
          sender: "other-origin",
          handshakes: async () => withSession(sessions.start("Ada"), panel),
        },
      ],
    };
  },
};
