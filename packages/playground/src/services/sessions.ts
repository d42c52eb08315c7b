import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { parseCookie } from "cookie";

/** Who has signed in, kept on the server under a random id, as any session middleware does it. */
export interface Sessions {
  /** Returns the id, for the cookie. */
  readonly start: (name: string) => string;
  readonly end: (id: string) => void;
  /** Middleware: puts onto the request who has signed in. */
  readonly recognise: (request: IncomingMessage) => void;
}

/** A request behind {@link Sessions.recognise}, which may be of somebody who has signed in. */
export interface Visitor extends IncomingMessage {
  user?: { readonly name: string };
  sessionId?: string;
}

export const waysCookie = "ways_session";
const maxSessions = 1_000;

export function createSessions(): Sessions {
  const names = new Map<string, string>();
  return {
    start: (name) => {
      const id = randomBytes(24).toString("base64url");
      names.set(id, name);
      const [oldest] = names.keys();
      if (names.size > maxSessions && oldest !== undefined) names.delete(oldest);
      return id;
    },
    end: (id) => void names.delete(id),
    recognise: (request: Visitor) => {
      const id = parseCookie(request.headers.cookie ?? "")[waysCookie];
      const name = id === undefined ? undefined : names.get(id);
      if (id === undefined || name === undefined) return;
      request.user = { name };
      request.sessionId = id;
    },
  };
}
