import type { ServerResponse } from "node:http";
import { parseCookie, stringifySetCookie } from "cookie";
import type { ConnectionLog } from "../connections/connection-log.ts";
import { guestsCode } from "../connections/guests.ts";
import { rules } from "../connections/rules.ts";
import type { Issuer } from "../issuer.ts";
import { lifetimeSeconds } from "../issuer.ts";
import type { Lab } from "../lab.ts";
import { sessionCookie } from "../policy.ts";
import type { Settings, SignedIn } from "../protocol.ts";
import type { Restartable } from "../restartable.ts";
import { attackViews, attemptRoutes } from "./attempts.ts";
import { auditRoutes } from "./audits.ts";
import { browserHeaders } from "./browser-headers.ts";
import { connectionRoutes } from "./connections.ts";
import { docsRoutes } from "./docs.ts";
import { eventStream } from "./event-stream.ts";
import { fileRoutes } from "./files.ts";
import {
  answer,
  answerJson,
  type Filter,
  filtered,
  type Handler,
  type Routes,
  readJson,
  routed,
} from "./handler.ts";
import { orderRoutes } from "./orders.ts";
import { ownHost, ownPagesOnly } from "./own-origin.ts";
import { titlesOfActs, wayView } from "./way-views.ts";

/** What the chat's own origin serves: the page, the issuer, the stream of what the gate does. */
export interface Page {
  readonly handler: Handler;
  readonly close: () => void;
}

/** What the page shows beside what it knows of the lab. */
export interface PageOptions {
  readonly policyText: string;
  /** What ways need to be answered by ordinary requests. */
  readonly wayRoutes: Routes;
  readonly connections: ConnectionLog;
  /** What can be drained. */
  readonly server: Restartable;
}

export async function createPage(
  lab: Lab,
  { policyText, wayRoutes, connections, server }: PageOptions,
): Promise<Page> {
  const { issuer, page, panel, gated, bare } = lab;
  const stream = eventStream(lab.log, connections);
  const onlyOwnPages = ownPagesOnly(page);
  const settings: Settings = {
    pageOrigin: page,
    panelOrigin: panel,
    chatUrl: `ws://${gated.host}/chat`,
    library: gated.library.name,
    runsOn: lab.runsOn,
    policy: policyText,
    attemptTitles: {
      ...Object.fromEntries(attackViews.map(({ id, title }) => [id, title])),
      ...titlesOfActs(lab.ways),
    },
    ways: await Promise.all(lab.ways.map(wayView)),
    guestsCode: guestsCode(),
    rules: rules.map(({ id, label, expected }) => ({ id, label, expected })),
  };
  const headers = browserHeaders({
    connect: [`ws://${gated.host}`, `ws://${bare.host}`],
    frames: [panel, "'self'"],
    framedBy: [],
  });
  const handler = routed({
    "GET /.well-known/jwks.json": (_request, response) =>
      answerJson(response, issuer.keySet, "application/jwk-set+json"),
    "GET /settings": (_request, response) => answerJson(response, settings),
    "GET /events": filtered([onlyOwnPages], stream.handler),
    ...signInRoutes(issuer, onlyOwnPages),
    ...attemptRoutes(lab, ["own-page"], onlyOwnPages),
    ...wayRoutes,
    ...orderRoutes(lab, onlyOwnPages),
    ...connectionRoutes(lab, server, connections.changed, onlyOwnPages),
    ...auditRoutes(lab, onlyOwnPages),
    ...docsRoutes,
    ...fileRoutes("page.html"),
  });
  return { handler: filtered([ownHost(page), headers], handler), close: stream.close };
}

/** A name is enough to sign in: the playground is about handshakes and not about passwords. */
function signInRoutes(issuer: Issuer, onlyOwnPages: Filter): Routes {
  async function welcome(response: ServerResponse, name: string): Promise<void> {
    const token = await issuer.sign(name);
    response.setHeader("Set-Cookie", cookieOf(token, lifetimeSeconds));
    answerJson(response, { name, token } satisfies SignedIn);
  }

  return {
    "POST /sign-in": filtered([onlyOwnPages], async (request, response) => {
      const { name } = ((await readJson(request, 1_024)) ?? {}) as { readonly name?: unknown };
      const trimmed = typeof name === "string" ? name.trim() : "";
      if (/^[\p{L}\p{N}][\p{L}\p{N} .'-]{0,23}$/u.test(trimmed)) await welcome(response, trimmed);
      else answer(response, 400);
    }),
    // A page that was loaded again, or whose token ran out, gets a new one for its session.
    "POST /token": filtered([onlyOwnPages], async (request, response) => {
      const held = parseCookie(request.headers.cookie ?? "")[sessionCookie];
      const name = held === undefined ? undefined : await issuer.nameIn(held);
      if (name === undefined) answer(response, 204);
      else await welcome(response, name);
    }),
    "POST /sign-out": filtered([onlyOwnPages], (_request, response) => {
      response.setHeader("Set-Cookie", cookieOf("", 0));
      answer(response, 204);
    }),
  };
}

const cookieOf = (value: string, maxAge: number): string =>
  stringifySetCookie({
    name: sessionCookie,
    value,
    maxAge,
    path: "/",
    httpOnly: true,
    sameSite: "strict",
  });
