import { parseCookie, stringifySetCookie } from "cookie";
import express, { type Response, Router } from "express";
import { attackViews, attemptsRouter } from "./attempts.ts";
import { browserHeaders } from "./browser-headers.ts";
import { staticFiles } from "./files.ts";
import type { Issuer } from "./issuer.ts";
import { lifetimeSeconds } from "./issuer.ts";
import type { Lab } from "./lab.ts";
import { ownHost, ownPagesOnly } from "./own-origin.ts";
import { sessionCookie } from "./policy.ts";
import type { Settings, SignedIn } from "./protocol.ts";
import { decisionStream } from "./stream.ts";

/** What the chat's own origin serves: the page, the issuer, the stream of decisions. */
export interface Page {
  readonly router: Router;
  readonly close: () => void;
}

export function createPage(lab: Lab, policyText: string): Page {
  const { issuer, page, panel, gated, bare } = lab;
  const router = Router();
  const stream = decisionStream(lab.log);
  const onlyOwnPages = ownPagesOnly(page);
  const settings: Settings = {
    pageOrigin: page,
    panelOrigin: panel,
    chatUrl: `ws://${gated.host}/chat`,
    policy: policyText,
    attackTitles: Object.fromEntries(attackViews.map(({ id, title }) => [id, title])),
  };

  router.use(ownHost(page));
  router.use(
    browserHeaders({
      connect: [`ws://${gated.host}`, `ws://${bare.host}`],
      frames: [panel],
      framedBy: [],
    }),
  );
  router.get("/.well-known/jwks.json", (_request, response) => {
    response.type("application/jwk-set+json").send(JSON.stringify(issuer.keySet));
  });
  router.get("/settings", (_request, response) => {
    response.json(settings);
  });
  router.get("/decisions", onlyOwnPages, stream.handler);
  router.use(signIn(issuer, onlyOwnPages));
  router.use(attemptsRouter(lab, ["own-page"], onlyOwnPages));
  router.use(staticFiles("page.html"));
  return { router, close: stream.close };
}

/** A name is enough to sign in: the playground is about handshakes and not about passwords. */
function signIn(issuer: Issuer, onlyOwnPages: ReturnType<typeof ownPagesOnly>): Router {
  const router = Router();

  async function welcome(response: Response, name: string): Promise<void> {
    const token = await issuer.sign(name);
    response.setHeader("Set-Cookie", cookieOf(token, lifetimeSeconds));
    response.json({ name, token } satisfies SignedIn);
  }

  router.post(
    "/sign-in",
    onlyOwnPages,
    express.json({ limit: 1_024 }),
    async (request, response) => {
      const { name } = (request.body ?? {}) as { readonly name?: unknown };
      const trimmed = typeof name === "string" ? name.trim() : "";
      if (/^[\p{L}\p{N}][\p{L}\p{N} .'-]{0,23}$/u.test(trimmed)) await welcome(response, trimmed);
      else response.status(400).end();
    },
  );

  // A page that was loaded again, or whose token ran out, gets a new one for its session.
  router.post("/token", onlyOwnPages, async (request, response) => {
    const held = parseCookie(request.headers.cookie ?? "")[sessionCookie];
    const name = held === undefined ? undefined : await issuer.nameIn(held);
    if (name === undefined) response.status(204).end();
    else await welcome(response, name);
  });

  router.post("/sign-out", onlyOwnPages, (_request, response) => {
    response.setHeader("Set-Cookie", cookieOf("", 0));
    response.status(204).end();
  });
  return router;
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
