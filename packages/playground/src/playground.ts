import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Clock } from "@firmshake/node";
import { checksIn } from "./checks-in.ts";
import { createConnectionLog } from "./connections/connection-log.ts";
import { guardOfGuests, guestsPath } from "./connections/guests.ts";
import { createDecisionLog } from "./decisions.ts";
import { type FrameworkName, frameworks } from "./frameworks/all.ts";
import { audience, createIssuer } from "./issuer.ts";
import { jwksUriOf, type Lab, type Target } from "./lab.ts";
import { libraries } from "./libraries/all.ts";
import { close, listen, loopback, type PortWish } from "./listen.ts";
import { answer, type Handler } from "./pages/handler.ts";
import { createPage } from "./pages/page.ts";
import { createPanel } from "./pages/panel.ts";
import { createPolicy } from "./policy.ts";
import type { LibraryName } from "./protocol.ts";
import { createRestartable } from "./restartable.ts";
import { serveApplication } from "./server.ts";
import { startServices } from "./services/services.ts";
import { openWays } from "./ways/open-ways.ts";

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
  /** By which time the chat's connections are guarded, for tests. Default: the process's. */
  readonly clock?: Clock;
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
  clock,
}: PlaygroundOptions): Promise<Playground> {
  const framework = frameworks[frameworkName];
  const library = libraries[libraryName];
  const targetAt = (port: number): Target => ({ port, host: `${loopback}:${port}`, library });
  const gatedServer = createServer();
  // First, since the port may be taken, and then nothing else is to be left running.
  const gated = targetAt(await listen(gatedServer, port));
  const services = await startServices();
  const { certificates, sessions } = services;
  const panelServer = createServer();
  const bareServer = createServer();
  const tlsServer = createTlsServer({
    ...certificates.server,
    ca: certificates.authority,
    requestCert: true,
    // Who has none is refused by the guard, with an answer.
    rejectUnauthorized: false,
  });
  const servers = [gatedServer, panelServer, bareServer, tlsServer];
  const next = (step: number): PortWish => ({
    port: port.port === 0 ? 0 : port.port + step,
    mayMove: true,
  });
  const panelTarget = targetAt(await listen(panelServer, next(1)));
  const bare = targetAt(await listen(bareServer, next(2)));
  const tls = targetAt(await listen(tlsServer, { port: 0, mayMove: false }));

  const page = `http://${gated.host}`;
  const panel = `http://${panelTarget.host}`;
  const jwksUri = jwksUriOf({ page });
  const issuer = await createIssuer(page);
  const checks = new Map<string, readonly string[]>();
  const log = createDecisionLog((path) => checks.get(path));
  const { guard } = framework;
  const policy = createPolicy({ page, hosts: [gated.host], issuer: page, jwksUri });
  const { ways, guardsOn, firstMessages, routes } = await openWays(
    { ...services, guard, page, panel, tokens: issuer, issuer: page, audience, jwksUri },
    log,
  );
  const plainGuards = {
    ...Object.fromEntries(
      Object.entries(policy).map(([path, options]) => [path, guard(options)] as const),
    ),
    [guestsPath]: guardOfGuests({ guard, page, issuer: page, jwksUri }),
    ...guardsOn("plain"),
  };
  const allGuards = Object.entries({ ...plainGuards, ...guardsOn("tls") });
  for (const [path, made] of allGuards) checks.set(path, checksIn(made));
  const policyText = allGuards.map(([path, made]) => `${path}: ${made.explain()}`).join("\n");
  const runsOn = `${framework.title} and ${library.title}`;
  const lab: Lab = {
    issuer,
    page,
    panel,
    gated: isGated ? gated : bare,
    bare,
    tls,
    certificates,
    ways,
    log,
    runsOn,
  };

  const server = createRestartable(gatedServer, () => connections.changed());
  const connections = createConnectionLog(server, clock);
  const pages = await createPage(
    { ...lab, gated },
    { policyText, wayRoutes: routes, connections, server },
  );
  const application = {
    framework,
    library,
    guards: plainGuards,
    recognise: sessions.recognise,
    firstMessages,
    issuer,
    pages: pages.handler,
    connections: undefined,
  };
  const onTls = {
    ...application,
    guards: guardsOn("tls"),
    firstMessages: undefined,
    pages: noPages,
  };
  await server.start({ ...application, log, connections });
  const applications = [
    server,
    await serveApplication(bareServer, { ...application, log: undefined }),
    await serveApplication(tlsServer, { ...onTls, log: isGated ? log : undefined }),
  ];
  panelServer.on("request", createPanel(lab));

  return {
    lab,
    policy: policyText,
    close: async () => {
      pages.close();
      for (const { close } of applications) close();
      await Promise.all([...servers.map(close), services.close()]);
    },
  };
}

const noPages: Handler = (_request, response) => answer(response, 404);
