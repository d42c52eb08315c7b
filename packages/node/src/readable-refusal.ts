import type { Handshake, HeaderLine, TrailEntry } from "@firmshake/core";

/**
 * What lets a page of another origin read why its polling was refused (Fetch §3.3): only a page that the policy's own origin check has
 * let in. Others, and other transports, get none.
 */
export function corsFor(handshake: Handshake, trail: readonly TrailEntry[]): readonly HeaderLine[] {
  const origin = handshake.headers.only("origin");
  if (handshake.transport !== "polling" || origin === undefined) return none;
  return isOriginKnown(handshake, trail)
    ? [
        ["Access-Control-Allow-Origin", origin],
        ["Access-Control-Allow-Credentials", "true"],
        ["Access-Control-Expose-Headers", "Retry-After, WWW-Authenticate"],
        ["Vary", "Origin"],
      ]
    : none;
}

/** Whether the handshake is one of a page that the policy's own origin check has let in. */
export const isOriginKnown = ({ headers }: Handshake, trail: readonly TrailEntry[]): boolean =>
  headers.has("origin") &&
  trail.some(({ check, outcome }) => check === "origin" && outcome === "allow");

const none: readonly HeaderLine[] = [];
