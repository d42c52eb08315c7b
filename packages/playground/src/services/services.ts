import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { close, listen, loopback } from "../listen.ts";
import { routed } from "../pages/handler.ts";
import { type Authorizer, createAuthorizer } from "./authorizer.ts";
import { type Certificates, createCertificates } from "./certificates.ts";
import {
  createOpaqueTokens,
  type IntrospectionClient,
  type OpaqueTokens,
} from "./opaque-tokens.ts";
import { createSessions, type Sessions } from "./sessions.ts";

/** What stands around an application that knows its users, on a loopback port of its own. */
export interface Services {
  readonly sessions: Sessions;
  readonly certificates: Certificates;
  readonly opaqueTokens: OpaqueTokens;
  readonly introspector: IntrospectionClient & { readonly endpoint: string };
  readonly authorizer: Authorizer & { readonly url: string };
  readonly close: () => Promise<void>;
}

export async function startServices(): Promise<Services> {
  const client: IntrospectionClient = {
    clientId: "playground",
    clientSecret: randomBytes(24).toString("base64url"),
  };
  const opaqueTokens = createOpaqueTokens(client);
  const authorizer = createAuthorizer();
  const server = createServer(
    routed({
      "POST /introspect": opaqueTokens.introspect,
      "POST /authorize": authorizer.handler,
    }),
  );
  const base = `http://${loopback}:${await listen(server, { port: 0, mayMove: false })}`;
  return {
    sessions: createSessions(),
    certificates: await createCertificates(),
    opaqueTokens,
    introspector: { ...client, endpoint: `${base}/introspect` },
    authorizer: { ...authorizer, url: `${base}/authorize` },
    close: () => close(server),
  };
}
