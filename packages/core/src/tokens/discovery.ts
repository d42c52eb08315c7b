import { ConfigError } from "../config/config-error.ts";
import { UnusableAnswer } from "../fetch/unusable-answer.ts";
import { isSecureUri } from "./secure-uri.ts";

/** Asks for JSON at a URL, within the time that is left for the whole. */
export type GetJson = (
  uri: URL,
  expected: { readonly accept: string; readonly mediaType?: string },
) => Promise<unknown>;

/** An issuer whose own word says where its keys and endpoints are. */
export interface Issuer {
  readonly origin: string;
  /** Asks the issuer for the URL that its metadata has under this name. */
  readonly locate: (name: "jwks_uri" | "introspection_endpoint", get: GetJson) => Promise<URL>;
}

/**
 * Reads an issuer that publishes metadata (OpenID Connect Discovery 1.0 §4, RFC 8414).
 *
 * @param owner - How the caller is written in source; it begins each message.
 * @param instead - What to give where there is no such issuer, as the messages say it.
 * @throws {@link ConfigError} for what can be no such issuer, or one that is asked without TLS.
 */
export function readIssuer(owner: string, issuer: string, instead: string): Issuer {
  if (!URL.canParse(issuer)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_MISSING",
      `${owner}: give ${instead}; "issuer" is no URL that could be asked for it.`,
    );
  }
  const uri = new URL(issuer);
  if (/[?#]/.test(issuer) || uri.username !== "" || uri.password !== "") {
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `${owner}: "issuer" must be a URL without query, fragment and password (RFC 8414 §2), since it is asked; or give ${instead}.`,
    );
  }
  if (!isSecureUri(uri)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_JWKS_URI_INSECURE",
      `${owner}: "issuer" must be an https: URL (http: only on loopback), or whoever is on the way answers for it; or give ${instead}.`,
    );
  }
  return {
    origin: uri.origin,
    locate: async (name, get) => {
      const metadata = await metadataOf(uri, get);
      // RFC 8414 §3.3: otherwise one issuer could pass for another.
      if (ownValue(metadata, "issuer") !== issuer) {
        throw new UnusableAnswer("The metadata is of another issuer.");
      }
      return readLocation(ownValue(metadata, name), uri, name);
    },
  };
}

/**
 * Asked in this order: nearly all issuers publish the form of OpenID Connect, many of them that alone. The form of RFC 8414 §3.1 follows
 * where the first is not there; any other failure may be one of the moment, which must not choose where the keys come from.
 */
async function metadataOf(issuer: URL, get: GetJson): Promise<unknown> {
  // Both specifications take a slash at the end away first.
  const path = issuer.pathname.replace(/\/$/, "");
  const expected = { accept: "application/json", mediaType: "application/json" };
  try {
    return await get(new URL(`${issuer.origin}${path}/.well-known/openid-configuration`), expected);
  } catch (error) {
    if (!isNotThere(error)) throw error;
    return get(new URL(`${issuer.origin}/.well-known/oauth-authorization-server${path}`), expected);
  }
}

const isNotThere = (error: unknown): boolean =>
  error instanceof UnusableAnswer && (error.status === 404 || error.status === 410);

function ownValue(metadata: unknown, name: string): unknown {
  return typeof metadata === "object" && metadata !== null && Object.hasOwn(metadata, name)
    ? (metadata as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/** An issuer with TLS must not lead to a place without, not even to one on this machine. */
function readLocation(given: unknown, issuer: URL, name: string): URL {
  if (typeof given === "string" && URL.canParse(given)) {
    const uri = new URL(given);
    if (isSecureUri(uri) && (uri.protocol === "https:" || issuer.protocol === "http:")) return uri;
  }
  throw new UnusableAnswer(`The metadata has no usable ${name}.`);
}
