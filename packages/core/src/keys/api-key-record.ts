import { bytesOfHex } from "../parse/hex.ts";
import { readHash } from "./api-key-hash.ts";

/** What is stored of a key. While keys are rotated, two records have one id. */
export interface ApiKeyRecord {
  /** As `createApiKey` made it. */
  readonly hash: string;
  /** Whom the key belongs to. */
  readonly subject: string;
  /** What else is known of its owner. Default: nothing. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** When the key ends, in milliseconds since 1970. Default: it does not end by itself. */
  readonly expiresAt?: number | undefined;
}

/** A record beside the public id of its key, for lists in the configuration. */
export interface ListedApiKey extends ApiKeyRecord {
  readonly id: string;
}

/** A record, ready to be compared. */
export interface ReadApiKeyRecord {
  readonly digest: Uint8Array;
  readonly record: ApiKeyRecord;
}

/** Reads what a store answered; undefined where that is no record. */
export function readApiKeyRecord(given: unknown): ReadApiKeyRecord | undefined {
  if (typeof given !== "object" || given === null) return undefined;
  const record = given as ApiKeyRecord;
  const { hash, subject, claims = {}, expiresAt } = record;
  const digest = readHash(hash);
  const isWhole =
    typeof subject === "string" &&
    subject !== "" &&
    typeof claims === "object" &&
    claims !== null &&
    (expiresAt === undefined || Number.isFinite(expiresAt));
  return digest !== undefined && isWhole ? { digest, record } : undefined;
}

/** Stands in for the record of an unknown id, so that it costs what a wrong secret costs. No key has this hash. */
export const noRecord: ReadApiKeyRecord = {
  digest: bytesOfHex("00".repeat(32)),
  record: { hash: "", subject: "" },
};
