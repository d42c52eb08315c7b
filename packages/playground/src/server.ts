import type { IncomingMessage, Server } from "node:http";
import { connectionOf, type Gate, type GateOptions, type Guard } from "@firmshake/node";
import { parseCookie } from "cookie";
import type { ConnectionLog } from "./connections/connection-log.ts";
import { guestsPath } from "./connections/guests.ts";
import type { DecisionLog } from "./decisions.ts";
import type { Framework } from "./frameworks/framework.ts";
import type { Issuer } from "./issuer.ts";
import type { FirstMessages, Library } from "./libraries/library.ts";
import type { Handler } from "./pages/handler.ts";
import { sessionCookie } from "./policy.ts";
import { createRoom } from "./room.ts";

/** What {@link serveApplication} takes. */
export interface ApplicationOptions {
  readonly framework: Framework;
  readonly library: Library;
  /** By path. */
  readonly guards: Readonly<Record<string, Guard>>;
  readonly recognise: (request: IncomingMessage) => void;
  readonly firstMessages: FirstMessages | undefined;
  readonly issuer: Issuer;
  /** What the application serves besides the chat. */
  readonly pages: Handler;
  /** Where decisions go. Without it no gate is attached: everything else is the same. */
  readonly log: DecisionLog | undefined;
  /** Who is told of the connections behind the gate. */
  readonly connections: ConnectionLog | undefined;
}

/** The application on its server. */
export interface Application {
  readonly gate: Gate | undefined;
  readonly close: () => void;
}

/** The whole application: pages and guards in a framework, and a room by a library on the same server. */
export async function serveApplication(
  server: Server,
  options: ApplicationOptions,
): Promise<Application> {
  const { framework, library, guards, recognise, firstMessages, issuer, pages } = options;
  const { log, connections } = options;
  const gate = await framework.serve(server, {
    guards,
    recognise,
    pages,
    gate: log && { ...gateOptions(log.record), ...connections?.gateOptions },
  });
  if (gate !== undefined && connections !== undefined) {
    server.on("upgrade", connections.onHandOver);
  }
  const chat = createRoom();
  const rooms = new Map(
    Object.keys(guards)
      .filter((path) => path.startsWith(waysPrefix) || path === guestsPath)
      .map((path) => [path, createRoom()]),
  );
  const served = library.serve(server, {
    paths: Object.keys(guards),
    // Everybody in the chat meets, by whichever of its endpoints; and without a gate whoever comes by a forgotten one.
    roomAt: (path) => rooms.get(path) ?? chat,
    nameOf: gate === undefined ? nameByCookie(issuer) : nameByGuard,
    isGated: gate !== undefined,
    onMessage: connections?.onMessage ?? ignore,
    firstMessages: gate === undefined ? unasked(firstMessages) : firstMessages,
  });
  return {
    gate,
    close: () => {
      gate?.close();
      served.close();
    },
  };
}

function gateOptions(onDecision: DecisionLog["record"]): GateOptions {
  const limits = { messages: { limit: 30, windowMs: 10_000 } };
  // #region shown
  // attach(server, app, options)
  const options: GateOptions = { refuse: "auto", limits, onDecision };
  // #endregion
  return options;
}

/** Each way has a room of its own, and the guests have one, so that who tries them does not come into the chat. */
const waysPrefix = "/ways/";

/** Without a gate nobody is asked who they are. */
const unasked = (firstMessages: FirstMessages | undefined): FirstMessages | undefined =>
  firstMessages && { ...firstMessages, authenticate: async () => true };

async function nameByGuard(request: IncomingMessage): Promise<string> {
  return connectionOf(request).identity?.subject ?? nobody;
}

function ignore(): void {}

/** How somebody is called of whom nothing is known. */
export const nobody = "somebody";

/** What is written by hand where there is no gate: whoever has the session's cookie is who the session says, whichever page asks. */
const nameByCookie =
  (issuer: Issuer) =>
  async ({ headers }: IncomingMessage): Promise<string> => {
    const token = parseCookie(headers.cookie ?? "")[sessionCookie];
    return (token && (await issuer.nameIn(token))) || nobody;
  };
