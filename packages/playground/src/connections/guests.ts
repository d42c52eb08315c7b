import { type Guard, jwt, limits, origin } from "@firmshake/node";
import type { MakeGuard } from "../frameworks/framework.ts";
import { audience } from "../issuer.ts";
import { shownPart } from "../shown.ts";

/** Where guests come in, and are held to strict limits. */
export const guestsPath = "/guests";

export interface GuestsOptions {
  readonly guard: MakeGuard;
  readonly page: string;
  readonly issuer: string;
  readonly jwksUri: string;
}

export function guardOfGuests({ guard, page, issuer, jwksUri }: GuestsOptions): Guard {
  // #region shown
  const policy = guard(
    origin([page], { allowMissing: true }),
    limits({
      maxMessageBytes: 2_048,
      messages: { limit: 20, windowMs: 1_000 },
      controlFrames: { limit: 10, windowMs: 1_000 }, // pings
    }),
    jwt({ issuer, audience, jwksUri }), // its end is the connection's
  );
  // #endregion
  return policy;
}

export const guestsCode = (): string => shownPart("connections/guests.ts");

/** Somebody who is brought by the page, with a token that does not last. */
export interface Guest {
  readonly name: string;
  readonly lastsSeconds: number;
  readonly everyMs: number;
}

/** Grace has two devices. */
export const guests: readonly Guest[] = [
  { name: "Grace", lastsSeconds: 20, everyMs: 1_000 },
  { name: "Grace", lastsSeconds: 60, everyMs: 3_000 },
  { name: "Katherine", lastsSeconds: 40, everyMs: 400 },
];

/** How long a token lasts that a guest is given anew. */
export const renewedSeconds = 60;
