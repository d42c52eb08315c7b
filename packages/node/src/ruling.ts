import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Handshake, MaybePromise, Permit, Refusal, TrailEntry, Verdict } from "@firmshake/core";

/** A held upgrade, as a framework's adapter sees it. */
export interface Upgrade {
  readonly request: IncomingMessage;
  /** What the server gave out with the upgrade; not always `request.socket`. */
  readonly socket: Duplex;
  readonly handshake: Handshake;
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
    }
  | { readonly outcome: "refused"; readonly refusal: Refusal; readonly trail: readonly TrailEntry[] }
  | {
      /** Somebody else has written a whole answer to the socket. */
      readonly outcome: "answered";
      readonly status: number;
      readonly cause: unknown;
      readonly trail: readonly TrailEntry[];
    };

/** What one guard's verdict comes to. */
export function rulingOf(verdict: Verdict): Ruling {
  const { trail } = verdict;
  return verdict.ok
    ? { outcome: "permitted", permits: [verdict.permit], reported: verdict.reported, trail }
    : { outcome: "refused", refusal: verdict.refusal, trail };
}
