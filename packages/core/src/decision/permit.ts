import { ConfigError } from "../config/config-error.ts";
import type { Handshake } from "../handshake/handshake.ts";

/**
 * Proof that a guard decided on one handshake and let it through. A gate hands a socket over only against a permit,
 * and only `decide()` can make one.
 */
export interface Permit<Facts extends object = object> {
  readonly handshake: Handshake;
  readonly facts: Facts;
}

class MintedPermit<Facts extends object> implements Permit<Facts> {
  readonly #decidedBy: object;
  #isSpent = false;
  readonly handshake: Handshake;
  readonly facts: Facts;

  constructor(handshake: Handshake, facts: Facts, decidedBy: object) {
    this.handshake = handshake;
    this.facts = facts;
    this.#decidedBy = decidedBy;
    Object.freeze(this);
  }

  static spend(value: unknown, handshake: Handshake): boolean {
    if (typeof value !== "object" || value === null || !(#isSpent in value)) return false;
    if (value.#isSpent || value.handshake !== handshake) return false;
    value.#isSpent = true;
    return true;
  }

  static deciderOf(value: object): object | undefined {
    return #decidedBy in value ? value.#decidedBy : undefined;
  }
}

/** Called by `decide()` alone; no entry point of this package exports it. */
export function mintPermit<Facts extends object>(
  handshake: Handshake,
  facts: Facts,
  decidedBy: object,
): Permit<Facts> {
  return new MintedPermit(handshake, facts, decidedBy);
}

/**
 * Uses a permit up: it must be genuine, of this handshake, and unused.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_PERMIT_INVALID` otherwise.
 */
export function spendPermit(permit: Permit, handshake: Handshake): void {
  if (!MintedPermit.spend(permit, handshake)) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_PERMIT_INVALID",
      "A socket is handed over only with the unused permit that decide() made for its own handshake.",
    );
  }
}

/** The `decide` function that made the permit, by which its guard is known; undefined for what is no permit. */
export const deciderOf: (permit: Permit) => object | undefined = MintedPermit.deciderOf;
