import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { VerificationKeys } from "@firmshake/core";
import { makeBuilder } from "./build-jwt.ts";
import { WordError } from "./words.ts";

/** Makes the tokens that cases describe, and knows the keys to verify them with. */
export interface TokenBuilder {
  readonly keys: { readonly verify: Readonly<Record<string, VerificationKeys | undefined>> };
  readonly build: (token: Readonly<Record<string, unknown>>, nowSeconds: number) => string;
  /** Proves that the client has the key of a token (RFC 9449). */
  readonly prove?: (
    proof: Readonly<Record<string, unknown>>,
    token: string,
    nowSeconds: number,
  ) => string;
  /** Of a client's key (RFC 7638). */
  readonly thumbprint?: (key: string) => string;
}

/** What a client shows of itself. */
export interface Credentials {
  readonly token: string | undefined;
  readonly proof: string | undefined;
}

/** The folder's own builder, in `tools/build-jwt.mjs`, or the project's. */
export async function builderOf(folder: string): Promise<TokenBuilder> {
  const path = join(folder, "tools", "build-jwt.mjs");
  if (!existsSync(path)) return makeBuilder();
  const module = (await import(pathToFileURL(path).href)) as { makeBuilder: () => TokenBuilder };
  return module.makeBuilder();
}

/** What a case says of the token and its proof. */
export interface CredentialWords {
  readonly token: Readonly<Record<string, unknown>> | undefined;
  readonly proof: Readonly<Record<string, unknown>> | undefined;
}

/** Builds them, and early in a second where a tick in the middle of the case could change the answer: their times are whole seconds. */
export async function buildCredentials(
  builder: TokenBuilder,
  { token: words, proof }: CredentialWords,
  isLifeLimited = false,
): Promise<Credentials> {
  if (words === undefined && proof === undefined) return { token: undefined, proof: undefined };
  if (isLifeLimited || hasCloseTimes([words, proof])) await earlyInSecond();
  const now = Math.floor(Date.now() / 1_000);
  const token = words && builder.build(words, now);
  if (proof === undefined) return { token, proof };
  if (builder.prove === undefined) throw new WordError("proof: this builder makes none");
  return { token, proof: builder.prove(proof, token ?? "", now) };
}

/** An end in five minutes and a beginning now are what nearly all tokens have. */
const hasCloseTimes = (words: unknown): boolean =>
  JSON.stringify(words)
    .replaceAll(/"exp":"@now\+300"|"iat":"@now"/g, "")
    .includes("@now");

async function earlyInSecond(): Promise<void> {
  const passed = Date.now() % 1_000;
  if (passed > 800) await new Promise((resolve) => setTimeout(resolve, 1_005 - passed));
}

/** The `typ` in a token's header, where there is one to be read. */
export function tokenTypeOf(token: string): string | undefined {
  try {
    const header: unknown = JSON.parse(
      Buffer.from(token.split(".", 1)[0] ?? "", "base64url").toString(),
    );
    const { typ } = (header ?? {}) as { readonly typ?: unknown };
    return typeof typ === "string" && typ !== "" ? typ : undefined;
  } catch {
    return undefined;
  }
}
