import { csrf, identity, origin, requestOf } from "@firmshake/node";
import { answer, answerJson } from "../pages/handler.ts";
import { chatProtocol } from "../policy.ts";
import { type Visitor, waysCookie } from "../services/sessions.ts";
import { connect, type Sketch, type Way } from "./way.ts";

export const csrfWay: Way = {
  id: "csrf",
  title: "A session and a token of its page",
  sentence:
    "The same with a second lock: the page shows a token of its own session, which no other page can have read.",
  guide: "docs/guide/sessions.md",
  open: ({ guard, page, panel, sessions }) => {
    // #region shown
    const ownPage = csrf({
      secret: crypto.getRandomValues(new Uint8Array(32)),
      session: (handshake) => requestOf<Visitor>(handshake).sessionId,
    });
    const policy = guard(
      origin([page, panel]), // a list that was written too wide
      identity(({ user }: Visitor) => user && { subject: user.name }),
      ownPage,
    );
    // #endregion
    const withSession = (origin = page): Sketch => ({
      origin,
      cookie: { name: waysCookie, value: sessions.start("Ada") },
    });
    const from = "/csrf";
    const errand = { from, parameter: "csrf" } as const;
    return {
      guard: policy,
      routes: {
        [`POST ${from}`]: async (request: Visitor, response) => {
          sessions.recognise(request);
          const { sessionId } = request;
          if (sessionId === undefined) {
            answer(response, 401);
            return;
          }
          const { token, cookie } = await ownPage.issue(sessionId, request.headers.cookie);
          response.setHeader("Set-Cookie", cookie);
          answerJson(response, { token });
        },
      },
      acts: [
        connect({
          sentence: "The page asks for its token, and shows it beside the cookies.",
          sender: "page",
          errand,
          handshakes: async () => [withSession()],
        }),
        {
          id: "missing",
          label: "Without the token",
          sentence: "The right page and Ada’s session, and nothing that the page itself was given.",
          expected: "csrf_invalid",
          sender: "page",
          handshakes: async () => [withSession()],
        },
        {
          id: "other-session",
          label: "Token of another session",
          sentence: "One from before the login, as somebody could have planted it.",
          expected: "csrf_invalid",
          sender: "page",
          handshakes: async () => {
            const { token } = await ownPage.issue(sessions.start("Mallory"));
            return [{ ...withSession(), protocols: ["bearer", token, chatProtocol] }];
          },
        },
        {
          id: "foreign",
          label: "From another origin",
          sentence:
            "The list lets that page in and Ada’s cookie comes along, but the token it could not read.",
          expected: "csrf_invalid",
          sender: "other-origin",
          handshakes: async () => [withSession(panel)],
        },
      ],
    };
  },
};
