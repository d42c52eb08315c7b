import { createServer, type Server } from "node:http";
import { guard } from "@firmshake/node";
import { createDecisionLog } from "./decisions.ts";
import { type FrameworkName, frameworks } from "./frameworks/all.ts";
import { createIssuer } from "./issuer.ts";
import { jwksUriOf, type Lab, type Target } from "./lab.ts";
import { libraries } from "./libraries/all.ts";
import { listen, loopback, type PortWish } from "./listen.ts";
import { createPage } from "./pages/page.ts";
import { createPanel } from "./pages/panel.ts";
import { createPolicy } from "./policy.ts";
import type { LibraryName } from "./protocol.ts";
import { serveApplication } from "./server.ts";

/** What {@link startPlayground} takes. */
export interface PlaygroundOptions {
  /** For the chat's page; the panel and the server without the gate take the next ones, or any. */
  readonly port: PortWish;
  /** False leaves the gate away, to show what it is for. Default true. */
  readonly isGated?: boolean;
  /** Default `express`. */
  readonly framework?: FrameworkName;
  /** Default `ws`. */
  readonly library?: LibraryName;
}

/** The servers, up and running. */
export interface Playground {
  readonly lab: Lab;
  /** The guards in words. */
  readonly policy: string;
  readonly close: () => Promise<void>;
}

export async function startPlayground({
  port,
  isGated = true,
  framework: frameworkName = "express",
  library: libraryName = "ws",
}: PlaygroundOptions): Promise<Playground> {
  const framework = frameworks[frameworkName];
  const library = libraries[libraryName];
  const targetAt = (port: number): Target => ({ port, host: `${loopback}:${port}`, library });
  const gatedServer = createServer();
  const panelServer = createServer();
  const bareServer = createServer();
  const next = (step: number): PortWish => ({
    port: port.port === 0 ? 0 : port.port + step,
    mayMove: true,
  });
  const gated = targetAt(await listen(gatedServer, port));
  const panelTarget = targetAt(await listen(panelServer, next(1)));
  const bare = targetAt(await listen(bareServer, next(2)));

  const page = `http://${gated.host}`;
  const issuer = await createIssuer(page);
  const log = createDecisionLog();
  const policy = createPolicy({
    page,
    hosts: [gated.host],
    issuer: page,
    jwksUri: jwksUriOf({ page }),
  });
  const policyText = Object.values(policy)
    .map((options) => guard(options).explain())
    .join("\n");
  const panel = `http://${panelTarget.host}`;
  const runsOn = `${framework.title} and ${library.title}`;
  const lab: Lab = { issuer, page, panel, gated: isGated ? gated : bare, bare, log, runsOn };

  const pages = createPage({ ...lab, gated }, policyText);
  const application = { framework, library, policy, issuer, pages: pages.handler };
  const withGate = await serveApplication(gatedServer, { ...application, log });
  const withoutGate = await serveApplication(bareServer, { ...application, log: undefined });
  panelServer.on("request", createPanel(lab));

  return {
    lab,
    policy: policyText,
    close: async () => {
      pages.close();
      withGate.close();
      withoutGate.close();
      await Promise.all([gatedServer, panelServer, bareServer].map(close));
    },
  };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
