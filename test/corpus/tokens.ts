import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { VerificationKeys } from "@firmshake/core";
import { makeBuilder } from "./build-jwt.ts";

/** Makes the tokens that cases describe, and knows the keys to verify them with. */
export interface TokenBuilder {
  readonly keys: { readonly verify: Readonly<Record<string, VerificationKeys | undefined>> };
  readonly build: (token: Readonly<Record<string, unknown>>, nowSeconds: number) => string;
}

/** The folder's own builder, in `tools/build-jwt.mjs`, or the project's. */
export async function builderOf(folder: string): Promise<TokenBuilder> {
  const path = join(folder, "tools", "build-jwt.mjs");
  if (!existsSync(path)) return makeBuilder();
  const module = (await import(pathToFileURL(path).href)) as { makeBuilder: () => TokenBuilder };
  return module.makeBuilder();
}

/** Builds a token early in a second: its times are whole seconds, and a tick in the middle of a case would change the answer. */
export async function buildToken(
  builder: TokenBuilder,
  token: Readonly<Record<string, unknown>>,
): Promise<string> {
  const passed = Date.now() % 1_000;
  if (passed > 800) await new Promise((resolve) => setTimeout(resolve, 1_005 - passed));
  return builder.build(token, Math.floor(Date.now() / 1_000));
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
