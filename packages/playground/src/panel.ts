import express, { type Express } from "express";
import { attackViews, attemptsRouter } from "./attempts.ts";
import { browserHeaders } from "./browser-headers.ts";
import { staticFiles } from "./files.ts";
import type { Lab } from "./lab.ts";
import { ownHost, ownPagesOnly } from "./own-origin.ts";

/** The attack panel: a site of its own, which happens to be in a frame of the chat's page. */
export function createPanel(lab: Lab): Express {
  const { page, panel, gated, bare } = lab;
  const connect = [`ws://${gated.host}`, `ws://${bare.host}`];
  const app = express();
  app.disable("x-powered-by");
  app.use(ownHost(panel));
  app.use("/sandbox", browserHeaders({ connect, frames: [], framedBy: ["'self'", page] }));
  app.use(/^(?!\/sandbox)/, browserHeaders({ connect, frames: ["'self'"], framedBy: [page] }));
  app.get("/attacks", (_request, response) => {
    response.json({ page, attacks: attackViews });
  });
  app.use(attemptsRouter(lab, ["other-origin", "sandbox", "program"], ownPagesOnly(panel)));
  // The sandboxed frame has no origin, so even its own scripts are foreign to it.
  app.use("/scripts", (_request, response, next) => {
    response.setHeader("Access-Control-Allow-Origin", "null");
    next();
  });
  app.use(staticFiles("panel.html"));
  return app;
}
