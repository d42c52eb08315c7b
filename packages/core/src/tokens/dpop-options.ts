import { ConfigError } from "../config/config-error.ts";
import { aCount, anObject, aPositiveInteger, aTextList, readOptions } from "../config/options.ts";
import { parseSerializedOrigin } from "../parse/serialized-origin.ts";
import { memoryReplayStore } from "../stores/memory-replay-store.ts";
import type { ReplayStore } from "../stores/replay-store.ts";
import { asymmetricAlgorithms } from "./verification-keys.ts";

/** What is asked of each proof of possession (RFC 9449). */
export interface DpopProofOptions {
  /**
   * What clients call this server, such as `https://chat.example.com`; `https` for `wss`. Required, since whoever was given a token and a
   * proof for another server can write that server's name into Host.
   */
  readonly origins: readonly string[];
  /** Signature algorithms of proofs, asymmetric ones. Default `ES256`, `EdDSA` and `Ed25519`. */
  readonly algorithms?: readonly string[];
  /** How old a proof may be, in seconds, by its `iat`. Default 60. */
  readonly maxAgeSeconds?: number;
  /** How far the client's clock may be ahead, in seconds. Default 5. */
  readonly futureToleranceSeconds?: number;
  /** Longer proofs are refused before they are parsed. Default 4,096 bytes. */
  readonly maxProofBytes?: number;
}

/** How proofs of possession are checked (RFC 9449). */
export interface DpopOptions extends DpopProofOptions {
  /** Asks for a nonce of the server in each proof (RFC 9449 §9), so that none can be made ahead of time. Default: none is asked for. */
  readonly nonce?: DpopNonceOptions;
  /** Where used proofs are remembered. Default: this process's memory, for this check alone. */
  readonly store?: ReplayStore;
}

/** How the server's nonces are made. */
export interface DpopNonceOptions {
  /** How long each is good, in seconds. Default 300. */
  readonly lifetimeSeconds?: number;
  /** At least 32 random bytes, the same in all processes that serve the same clients. Default: random, for this check alone. */
  readonly secret?: Uint8Array;
}

/** The options with their defaults. */
export type ReadProofOptions = Required<DpopProofOptions>;
export interface ReadDpopOptions {
  readonly proof: ReadProofOptions;
  readonly nonce: Required<DpopNonceOptions> | undefined;
  readonly store: ReplayStore;
}

const proofRules = {
  origins: aTextList,
  algorithms: aTextList,
  maxAgeSeconds: aPositiveInteger,
  futureToleranceSeconds: aCount,
  maxProofBytes: aPositiveInteger,
};

/**
 * Reads the options, with the defaults filled in.
 *
 * @throws {@link ConfigError} for options that are not as described.
 */
export function readDpopOptions(options: DpopOptions): ReadDpopOptions {
  const read = readOptions<DpopOptions>(
    "jwt.dpop",
    options,
    {
      ...proofRules,
      nonce: anObject,
      store: { expected: "a store with a claim() function", accepts: isStore },
    },
    ["origins"],
  );
  const { nonce, store = memoryReplayStore(), ...proof } = read;
  return {
    proof: withDefaults("jwt.dpop", proof),
    nonce: nonce && readNonceOptions(nonce),
    store,
  };
}

/** The same without what only a proof that may come again needs. */
export const readProofOptions = (owner: string, options: DpopProofOptions): ReadProofOptions =>
  withDefaults(owner, readOptions<DpopProofOptions>(owner, options, proofRules, ["origins"]));

function withDefaults(owner: string, proof: DpopProofOptions): ReadProofOptions {
  const {
    origins,
    algorithms = ["ES256", "EdDSA", "Ed25519"],
    maxAgeSeconds = 60,
    futureToleranceSeconds = 5,
    maxProofBytes = 4_096,
  } = proof;
  for (const origin of origins) {
    if (parseSerializedOrigin(origin) !== undefined) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTION_INVALID",
      `${owner}: "origins" must hold origins such as "https://chat.example.com", in lower case, without a path or a default port.`,
    );
  }
  for (const algorithm of algorithms) {
    if (asymmetricAlgorithms.includes(algorithm)) continue;
    throw new ConfigError(
      "ERR_FIRMSHAKE_ALGORITHM_UNSAFE",
      `${owner}: "${algorithm}" is no asymmetric algorithm; "algorithms" may hold ${asymmetricAlgorithms.join(", ")}.`,
    );
  }
  return {
    origins: [...origins],
    algorithms: [...algorithms],
    maxAgeSeconds,
    futureToleranceSeconds,
    maxProofBytes,
  };
}

function readNonceOptions(options: DpopNonceOptions): Required<DpopNonceOptions> {
  const { lifetimeSeconds = 300, secret = crypto.getRandomValues(new Uint8Array(32)) } =
    readOptions<DpopNonceOptions>("jwt.dpop.nonce", options, {
      lifetimeSeconds: aPositiveInteger,
      secret: {
        expected: "a Uint8Array of 32 random bytes or more",
        accepts: (value) => value instanceof Uint8Array && value.byteLength >= 32,
      },
    });
  return { lifetimeSeconds, secret: new Uint8Array(secret) };
}

const isStore = (value: unknown): boolean =>
  typeof (value as Partial<ReplayStore> | null)?.claim === "function";
