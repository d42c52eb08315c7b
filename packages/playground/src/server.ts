import type { IncomingMessage, Server } from "node:http";
import { attach, connectionOf, type Gate } from "@firmshake/express";
import { parseCookie } from "cookie";
import express, { type Router } from "express";
import { serveChat } from "./chat.ts";
import type { DecisionLog } from "./decisions.ts";
import type { Issuer } from "./issuer.ts";
import { type Policy, sessionCookie } from "./policy.ts";

/** What {@link serveApplication} takes. */
export interface ApplicationOptions {
  readonly policy: Policy;
  readonly issuer: Issuer;
  /** What the application serves besides the chat. */
  readonly pages: Router;
  /** Where decisions go. Without it no gate is attached: everything else is the same. */
  readonly log: DecisionLog | undefined;
}

/** The application on its server. */
export interface Application {
  readonly gate: Gate | undefined;
  readonly close: () => void;
}

/** The whole application: an Express app with guards on its paths, and `ws` on the same server. */
export function serveApplication(server: Server, options: ApplicationOptions): Application {
  const { policy, issuer, pages, log } = options;
  const app = express();
  app.disable("x-powered-by");
  app.get("/chat", policy.chat);
  app.get("/session", policy.session);
  app.get("/operations", policy.operations);
  app.use(pages);
  server.on("request", app);

  const gate = log && attach(server, app, { onDecision: log.record });
  const chat = serveChat(server, gate === undefined ? nameByCookie(issuer) : nameByGuard);
  return {
    gate,
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
