import { createServer, type Server } from "node:http";
import { createDecisionLog } from "./decisions.ts";
import { createIssuer } from "./issuer.ts";
import { jwksUriOf, type Lab } from "./lab.ts";
import { listen, loopback, type PortWish } from "./listen.ts";
import { createPage } from "./page.ts";
import { createPanel } from "./panel.ts";
import { createPolicy } from "./policy.ts";
import { serveApplication } from "./server.ts";

/** What {@link startPlayground} takes. */
export interface PlaygroundOptions {
  /** For the chat's page; the panel and the server without the gate take the next ones, or any. */
  readonly port: PortWish;
  /** False leaves the gate away, to show what it is for. Default true. */
  readonly isGated?: boolean;
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
}: PlaygroundOptions): Promise<Playground> {
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
  const policyText = [policy.chat, policy.session, policy.operations]
    .map((one) => one.explain())
    .join("\n");
  const panel = `http://${panelTarget.host}`;
  const lab: Lab = { issuer, page, panel, gated: isGated ? gated : bare, bare, log };

  const pages = createPage({ ...lab, gated }, policyText);
  const application = { policy, issuer, pages: pages.router };
  const withGate = serveApplication(gatedServer, { ...application, log });
  const withoutGate = serveApplication(bareServer, { ...application, log: undefined });
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

const targetAt = (port: number) => ({ port, host: `${loopback}:${port}` });

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
