import { aText, readOptions } from "../config/options.ts";
import { hexOf } from "../parse/hex.ts";
import { digestOfApiKey, hashText } from "./api-key-hash.ts";
import { isApiKeyId, isApiKeyPrefix } from "./api-key-text.ts";

/** What {@link createApiKey} takes. */
export interface CreateApiKeyOptions {
  /** Says whose key it is, to people and to scanners for leaked secrets: 1 to 32 letters, digits and `_`, a letter first. */
  readonly prefix: string;
  /** The id of a key that is to be replaced: 1 to 64 letters and digits. Default: 96 random bits. */
  readonly id?: string;
}

/** A key that was made. */
export interface CreatedApiKey {
  /** `prefix_id_secret`, for the client; shown once and kept nowhere. */
  readonly key: string;
  /** The public part by which the key is found. */
  readonly id: string;
  /** What is stored beside the id. */
  readonly hash: string;
}

const random = (bytes: number): string => hexOf(crypto.getRandomValues(new Uint8Array(bytes)));

/**
 * Makes an API key of 256 random bits. Nobody can guess through that many, so its plain SHA-256 is stored: slow hashes (argon2, bcrypt)
 * make up for passwords that people chose, and here would but let floods of wrong keys use up the server.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_OPTION_INVALID` for a prefix or an id of another form; the promise rejects.
 *
 * @example
 * ```ts
 * import { createApiKey } from "@firmshake/core";
 *
 * const { key, id, hash } = await createApiKey({ prefix: "acme" });
 * console.log(key); // acme_5f0c…_9b41…, for the client alone; id and hash go to the database
 * ```
 */
export async function createApiKey(options: CreateApiKeyOptions): Promise<CreatedApiKey> {
  const { prefix, id = random(12) } = readOptions<CreateApiKeyOptions>(
    "createApiKey",
    options,
    {
      prefix: {
        expected: "1 to 32 letters, digits and underscores, a letter first",
        accepts: (value) => aText.accepts(value) && isApiKeyPrefix(value as string),
      },
      id: {
        expected: "1 to 64 letters and digits",
        accepts: (value) => aText.accepts(value) && isApiKeyId(value as string),
      },
    },
    ["prefix"],
  );
  const key = `${prefix}_${id}_${random(32)}`;
  return Object.freeze({ key, id, hash: hashText(await digestOfApiKey(key)) });
}
