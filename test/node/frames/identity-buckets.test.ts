import { Duplex } from "node:stream";
import type { Identity } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { frameRulesFor } from "../../../packages/node/src/frames/frame-rules.ts";
import { countFor, guardFrames } from "../../../packages/node/src/frames/guard-frames.ts";
import {
  type IdentityBuckets,
  identityBuckets,
} from "../../../packages/node/src/frames/identity-buckets.ts";

const windowMs = 10_000;
const of = (subject: string, iss?: string): Identity => ({
  subject,
  scheme: "test",
  claims: iss === undefined ? {} : { iss },
  expiresAt: undefined,
});

const made = (): IdentityBuckets =>
  identityBuckets({ limit: 5, windowMs }, undefined) as IdentityBuckets;

/** As many others as it takes to have what is not needed forgotten. */
function crowd(buckets: IdentityBuckets, now: number): void {
  for (let count = 0; count < 1_024; count++) buckets.enter(of(`other ${count}`), now);
}

describe("the bucket of an identity", () => {
  it("is one for all its connections, and another for the same subject of another issuer", () => {
    const buckets = made();
    const bucket = buckets.enter(of("ada", "https://one"), 0);
    expect(buckets.enter(of("ada", "https://one"), 0)).toBe(bucket);
    expect(buckets.enter(of("ada", "https://two"), 0)).not.toBe(bucket);
    expect(buckets.enter(of("one ada", "https:"), 0)).not.toBe(bucket);
    expect(bucket.connections).toBe(2);
  });

  it.each([
    { title: "stays while a connection is open", connections: 1, afterMs: windowMs, stays: true },
    {
      title: "stays while it may not be empty",
      connections: 0,
      afterMs: windowMs - 1,
      stays: true,
    },
    { title: "is forgotten then", connections: 0, afterMs: windowMs, stays: false },
  ])("$title", ({ connections, afterMs, stays }) => {
    const buckets = made();
    const bucket = buckets.enter(of("ada"), 0);
    bucket.connections = connections;
    crowd(buckets, afterMs);
    expect(buckets.enter(of("ada"), afterMs) === bucket).toBe(stays);
  });

  it("counts its connections in and out", () => {
    const rules = frameRulesFor({ messagesPerIdentity: { limit: 5, windowMs } }, []);
    const bucket = (rules.byIdentity as IdentityBuckets).enter(of("ada"), 0);
    const socket = new Duplex({ read: () => undefined });
    guardFrames(socket, undefined, rules);
    countFor(socket, of("ada"));
    countFor(socket, of("ada"));
    expect(bucket.connections).toBe(2);
    socket.destroy();
    socket.destroy();
    expect(bucket.connections).toBe(1);
  });
});
