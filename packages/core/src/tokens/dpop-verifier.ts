import { isRefusal, type Refusal, refuse } from "../decision/decision.ts";
import type { Handshake } from "../handshake/handshake.ts";
import { dpopNonces } from "./dpop-nonces.ts";
import { type DpopOptions, readDpopOptions } from "./dpop-options.ts";
import { proofVerifier, sha256 } from "./dpop-proof.ts";
import { type TokenRefusals, tokenRefusals } from "./token-refusals.ts";

/** Checks that the client has the key that its access token is bound to, once for each proof. */
export interface DpopVerifier {
  /** In words, for `explain()`. */
  readonly summary: string;
  readonly refusals: TokenRefusals;
  /** Answers with why not; never rejects for what a proof holds. The thumbprint is that of a verified token. */
  readonly verify: (
    handshake: Handshake,
    token: string,
    thumbprint: string,
  ) => Promise<Refusal | undefined>;
}

/**
 * Takes the proof from the header `DPoP`. It is remembered only once all else is right, so that nobody without a token can fill the store.
 *
 * @throws {@link ConfigError} for options that are not as described.
 */
export function dpopVerifier(options: DpopOptions): DpopVerifier {
  const read = readDpopOptions(options);
  const { proof: asked, nonce, store } = read;
  // One second more, for a clock that is set back a little meanwhile.
  const ttlMs = (asked.maxAgeSeconds + asked.futureToleranceSeconds + 1) * 1000;
  const nonces = nonce && dpopNonces(nonce.secret, nonce.lifetimeSeconds);
  const proofs = proofVerifier(asked);
  const { challenge, invalid } = proofs;

  async function verify(
    handshake: Handshake,
    token: string,
    thumbprint: string,
  ): Promise<Refusal | undefined> {
    const [proof, ...others] = handshake.headers.all("dpop");
    if (proof === undefined) return invalid("no DPoP header");
    if (others.length > 0) return invalid("more than one DPoP header");
    const { method } = handshake;
    const verified = await proofs.verify(proof, { handshake, method, token, thumbprint });
    if (isRefusal(verified)) return verified;
    if (nonces !== undefined && !(await nonces.isGood(verified.nonce))) {
      return nonceRequired(await nonces.issue());
    }
    return claim(await sha256(`${thumbprint}.${verified.jti}`));
  }

  /** RFC 9449 §9. */
  const nonceRequired = (fresh: string): Refusal =>
    refuse("proof_nonce_required", undefined, {
      headers: [...challenge("use_dpop_nonce"), ["DPoP-Nonce", fresh]],
    });

  async function claim(id: string): Promise<Refusal | undefined> {
    let isFirst: boolean;
    try {
      isFirst = await store.claim(id, ttlMs);
    } catch (cause) {
      return refuse("store_failed", undefined, { cause, headers: [["Retry-After", "5"]] });
    }
    return isFirst === true ? undefined : invalid("used before");
  }

  return {
    summary: `${proofs.summary}, used once, ${nonce === undefined ? "" : "with a nonce, "}${store.summary ?? "in a store"}`,
    refusals: tokenRefusals(challenge),
    verify,
  };
}
