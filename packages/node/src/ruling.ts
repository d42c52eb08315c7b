import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import {
  type Handshake,
  type MaybePromise,
  type Permit,
  type Refusal,
  refuse,
  type TrailEntry,
  type Verdict,
} from "@firmshake/core";
import { isRefusal, spendPermit } from "@firmshake/core/gate";
import type { MeterHead } from "./target.ts";

/** A held upgrade, as a framework's adapter sees it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  /** What the server gave out with the upgrade; not always `request.socket`. */
  readonly socket: Duplex;
  /** Node's own, where the upgrade came as a request; undefined where it came as an upgrade, and the socket is bare. */
  readonly response: ServerResponse | undefined;
  readonly handshake: Handshake;
  /**
   * Emits the event that is held before it is decided: only where whoever listens is known to ask for the decision. Who accepts then is
   * said by `accept` of the ruling.
   */
  readonly letGo: () => void;
}

/** Decides on a held upgrade. What it throws, or rejects with, refuses. */
export type UpgradeHandler = (upgrade: Upgrade) => MaybePromise<Ruling>;

/** What became of a held upgrade. */
export type Ruling =
  | {
      readonly outcome: "permitted";
      /** One for each guard on the way; at least one. */
      readonly permits: readonly Permit[];
      /** What a guard in report mode would have refused. */
      readonly reported: Refusal | undefined;
      readonly trail: readonly TrailEntry[];
      /** What hands over, where the event was let go before. Default: emitting it. */
      readonly accept?: ((meter: MeterHead) => void) | undefined;
    }
  | {
      readonly outcome: "refused";
      readonly refusal: Refusal;
      readonly trail: readonly TrailEntry[];
    }
  | {
      /** Somebody else has written a whole answer to the socket. */
      readonly outcome: "answered";
      readonly status: number;
      readonly cause: unknown;
      readonly trail: readonly TrailEntry[];
    };

/**
 * The ruling, if it is one; its permits are used up by this. Whatever else a handler may have come up with (nothing, a permit that it
 * made itself) refuses: it must neither hand a socket over nor end the process.
 */
export function redeemRuling(given: Ruling, handshake: Handshake): Ruling {
  try {
    if (given.outcome === "answered") return given;
    if (given.outcome === "refused" && isRefusal(given.refusal)) return given;
    if (given.outcome === "permitted" && given.permits.length > 0) {
      const permits = [...given.permits];
      for (const permit of permits) spendPermit(permit, handshake);
      return { ...given, permits };
    }
    return failedRuling(undefined, "the handler answered with no ruling");
  } catch (cause) {
    return failedRuling(cause, "the handler answered with no ruling");
  }
}

/** A refusal where something failed that should have decided. */
export const failedRuling = (cause: unknown, reason: string): Ruling => ({
  outcome: "refused",
  refusal: failedRefusal(cause, reason),
  trail: [],
});

export const failedRefusal = (cause: unknown, reason: string): Refusal =>
  refuse("check_failed", undefined, { cause, reason });

/** What one guard's verdict comes to. */
export function rulingOf(verdict: Verdict): Ruling {
  const { trail } = verdict;
  return verdict.ok
    ? { outcome: "permitted", permits: [verdict.permit], reported: verdict.reported, trail }
    : { outcome: "refused", refusal: verdict.refusal, trail };
}
