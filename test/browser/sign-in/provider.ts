import { type OpenIdProvider, startOpenIdProvider } from "../../support/openid-provider.ts";

/** The application's server, which keeps a secret. */
export const serverClient = { id: "server", secret: "the server's secret" };
/** The application's page, which keeps none (RFC 6749 §2.1). */
export const pageClient = "page";
/** What access tokens of the page are for. */
export const audience = "https://chat.example.com";

export const idTokenSeconds = 3_600;
export const accessTokenSeconds = 300;

/** A provider at which the users of an application sign in, by its own forms: any name and password will do. */
export const startSignInProvider = (origin: string): Promise<OpenIdProvider> =>
  startOpenIdProvider("first", 0, {
    clients: [
      {
        client_id: serverClient.id,
        client_secret: serverClient.secret,
        redirect_uris: [`${origin}/callback`],
        post_logout_redirect_uris: [`${origin}/`],
      },
      {
        client_id: pageClient,
        token_endpoint_auth_method: "none",
        redirect_uris: [`${origin}/page`],
        post_logout_redirect_uris: [`${origin}/page`],
      },
    ],
    pkce: { required: () => true },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    clientBasedCORS: (_ctx, from) => from === origin,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 60,
      Grant: 86_400,
      IdToken: idTokenSeconds,
      Interaction: 3_600,
      Session: 86_400,
    },
    features: {
      devInteractions: { enabled: true },
      rpInitiatedLogout: {
        logoutSource: (ctx, form) => {
          ctx.body = `${form}<button form="op.logoutForm" name="logout" value="yes">Sign me out</button>`;
        },
      },
    },
  });
