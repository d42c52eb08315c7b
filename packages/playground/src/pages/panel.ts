import type { Lab } from "../lab.ts";
import { attackViews, attemptRoutes } from "./attempts.ts";
import { browserHeaders } from "./browser-headers.ts";
import { fileRoutes } from "./files.ts";
import { answerJson, type Filter, filtered, type Handler, routed } from "./handler.ts";
import { ownHost, ownPagesOnly } from "./own-origin.ts";

/** The attack panel: a site of its own, which happens to be in a frame of the chat's page. */
export function createPanel(lab: Lab): Handler {
  const { page, panel } = lab;
  const handler = routed({
    "GET /attacks": (_request, response) => answerJson(response, { page, attacks: attackViews }),
    ...attemptRoutes(lab, ["other-origin", "sandbox", "program"], ownPagesOnly(panel)),
    ...fileRoutes("panel.html"),
  });
  return filtered([ownHost(panel), headersByPath(lab), shareScripts], handler);
}

function headersByPath({ page, gated, bare }: Lab): Filter {
  const connect = [`ws://${gated.host}`, `ws://${bare.host}`];
  const ofPanel = browserHeaders({ connect, frames: ["'self'"], framedBy: [page] });
  const ofSandbox = browserHeaders({ connect, frames: [], framedBy: ["'self'", page] });
  return (request, response) =>
    (request.url?.startsWith("/sandbox") ? ofSandbox : ofPanel)(request, response);
}

/** The sandboxed frame has no origin, so even its own scripts are foreign to it. */
const shareScripts: Filter = ({ url }, response) => {
  if (url?.startsWith("/scripts/")) response.setHeader("Access-Control-Allow-Origin", "null");
  return true;
};
