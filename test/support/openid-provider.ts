import { Buffer } from "node:buffer";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair } from "jose";
import type { ClientMetadata, Configuration, JWK } from "oidc-provider";
import { onTestFinished, vi } from "vitest";

/** A client that may ask for tokens. */
const app = { id: "app", secret: "the app's secret" };
/** A client that may ask about tokens, with all that RFC 6749 §2.3.1 has to encode. */
export const chatServer = { id: "chat:server", secret: "a secret: with/odd+signs %" };

/** Tokens for an audience that ends so are opaque; all others are JWTs (RFC 9068). */
const opaqueEnding = "/opaque";

export interface OpenIdProvider {
  readonly issuer: string;
  readonly port: number;
  /** Method and path of every request, as they came. */
  readonly asked: string[];
  /** Takes a request away from the provider by answering true; nothing else then answers it. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** A token for the audience, by the grant of client credentials. */
  readonly token: (audience: string, scope?: string) => Promise<string>;
  readonly revoke: (token: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/**
 * Starts an OpenID provider on loopback until the test is over: with a key of its own, on a port that is free or the one that is given.
 *
 * @param more - Clients and features beyond its own, and whatever else is to be otherwise.
 */
export async function startOpenIdProvider(
  kid: string,
  port = 0,
  more: Configuration = {},
): Promise<OpenIdProvider> {
  const server = createServer((request, response) => {
    // Clients keep connections, and would ask a provider that was stopped.
    response.shouldKeepAlive = false;
    asked.push(`${request.method} ${request.url}`);
    if (!running.intercept(request, response)) handle(request, response);
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const { port: found } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${found}`;
  const handle = await handlerOf(issuer, kid, more);
  const asked: string[] = [];

  const post = (path: string, form: Record<string, string>): Promise<Response> =>
    fetch(`${issuer}${path}`, {
      method: "POST",
      body: new URLSearchParams(form),
      headers: {
        Authorization: `Basic ${Buffer.from(`${app.id}:${encoded(app.secret)}`).toString("base64")}`,
      },
    });
  const running: OpenIdProvider = {
    issuer,
    port: found,
    asked,
    intercept: () => false,
    token: async (audience, scope = "chat:write") => {
      const form = { grant_type: "client_credentials", scope, resource: audience };
      const answer = (await (await post("/token", form)).json()) as { access_token?: string };
      if (answer.access_token === undefined) throw new Error(JSON.stringify(answer));
      return answer.access_token;
    },
    revoke: async (token) => {
      const { status } = await post("/token/revocation", { token });
      if (status !== 200) throw new Error(`The revocation answered ${status}.`);
    },
    stop: async () => {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  onTestFinished(running.stop);
  return running;
}

const encoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);

async function handlerOf(
  issuer: string,
  kid: string,
  more: Configuration,
): Promise<(request: IncomingMessage, response: ServerResponse) => void> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = { ...(await exportJWK(privateKey)), kid, alg: "ES256", use: "sig" } as JWK;
  const client = (known: typeof app): ClientMetadata => ({
    client_id: known.id,
    client_secret: known.secret,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    scope: "chat:read chat:write",
  });
  // It warns of the Node that it runs on, and of keeping everything in memory.
  const silenced = [vi.spyOn(console, "warn"), vi.spyOn(console, "info")];
  for (const spy of silenced) spy.mockReturnValue(undefined);
  try {
    const { default: Provider } = await import("oidc-provider");
    const provider = new Provider(issuer, {
      scopes: ["chat:read", "chat:write"],
      clientDefaults: { id_token_signed_response_alg: "ES256" },
      ...more,
      jwks: { keys: [jwk] },
      clients: [client(app), client(chatServer), ...(more.clients ?? [])],
      ttl: { ClientCredentials: 300, ...more.ttl },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true, allowedPolicy: () => true },
        revocation: { enabled: true, allowedPolicy: () => true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, audience) => ({
            scope: "chat:read chat:write",
            audience,
            accessTokenTTL: 300,
            accessTokenFormat: audience.endsWith(opaqueEnding) ? "opaque" : "jwt",
            jwt: { sign: { alg: "ES256" } },
          }),
        },
        ...more.features,
        // The types of features that are on exclude those that are off, and a spread of both has either.
      } as Configuration["features"],
    });
    return provider.callback();
  } finally {
    for (const spy of silenced) spy.mockRestore();
  }
}
