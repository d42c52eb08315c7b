import type { IncomingMessage, Server } from "node:http";
import { connectionOf } from "@firmshake/node";
import { parseCookie } from "cookie";
import type { DecisionLog } from "./decisions.ts";
import type { Framework } from "./frameworks/framework.ts";
import type { Issuer } from "./issuer.ts";
import type { Library } from "./libraries/library.ts";
import type { Handler } from "./pages/handler.ts";
import { type Policy, sessionCookie } from "./policy.ts";
import { createRoom } from "./room.ts";

/** What {@link serveApplication} takes. */
export interface ApplicationOptions {
  readonly framework: Framework;
  readonly library: Library;
  readonly policy: Policy;
  readonly issuer: Issuer;
  /** What the application serves besides the chat. */
  readonly pages: Handler;
  /** Where decisions go. Without it no gate is attached: everything else is the same. */
  readonly log: DecisionLog | undefined;
}

/** The application on its server. */
export interface Application {
  readonly close: () => void;
}

/** The whole application: pages and guards in a framework, and a room by a library on the same server. */
export async function serveApplication(
  server: Server,
  { framework, library, policy, issuer, pages, log }: ApplicationOptions,
): Promise<Application> {
  const gate = await framework.serve(server, {
    policy,
    pages,
    gate: log && { onDecision: log.record },
  });
  const chat = library.serve(server, {
    paths: Object.keys(policy),
    room: createRoom(),
    nameOf: gate === undefined ? nameByCookie(issuer) : nameByGuard,
    isGated: gate !== undefined,
  });
  return {
    close: () => {
      gate?.close();
      chat.close();
    },
  };
}

async function nameByGuard(request: IncomingMessage): Promise<string> {
  return connectionOf(request).identity?.subject ?? nobody;
}

/** How somebody is called of whom nothing is known. */
export const nobody = "somebody";

/** What is written by hand where there is no gate: whoever has the session's cookie is who the session says, whichever page asks. */
const nameByCookie =
  (issuer: Issuer) =>
  async ({ headers }: IncomingMessage): Promise<string> => {
    const token = parseCookie(headers.cookie ?? "")[sessionCookie];
    return (token && (await issuer.nameIn(token))) || nobody;
  };
