import { once } from "node:events";
import type { Server } from "node:http";
import type { Gate, Revocation } from "@firmshake/node";
import { expect, it, onTestFinished, vi } from "vitest";
import { statusOf } from "../support/raw-client.ts";
import { startRedisServer } from "../support/redis-server.ts";
import { blockWith, runRecipe } from "./recipe.ts";
import { origin, talk } from "./talk.ts";

const page = "docs/guide/connections.md";

interface Process {
  readonly server: Server;
  readonly gate: Gate;
  readonly redis: { readonly close: () => Promise<void> };
  readonly subscriber: { readonly close: () => Promise<void> };
  readonly revoke: (revocation: Revocation) => Promise<void>;
}

/** The recipe once more: what several processes do with one Redis, several modules do as well. */
async function start(url: string) {
  const { its, issuer, insteadOf } = await runRecipe<Process>(blockWith(page, "createClient"), {
    names: ["redis", "subscriber"],
    changes: { "redis://127.0.0.1:6379": url },
  });
  onTestFinished(async () => {
    its.server.closeAllConnections();
    its.server.close();
    await Promise.all([its.redis.close(), its.subscriber.close()]);
  });
  await vi.waitUntil(() => its.server.listening);
  const port = insteadOf(8080);
  // The next one is to find the ports as they were.
  vi.restoreAllMocks();
  const tokens: Readonly<Record<string, string>> = {
    ann: await issuer.tokenOf("ann"),
    bob: await issuer.tokenOf("bob"),
  };
  const headersFor = (subject: string) => ({
    Authorization: `Bearer ${tokens[subject]}`,
    Origin: origin,
  });
  return {
    revoke: its.revoke,
    gate: its.gate,
    open: async (subject: string) =>
      (await talk(`ws://127.0.0.1:${port}/chat`, { headers: headersFor(subject) })).socket,
    statusFor: async (subject: string) => statusOf(port, { headers: headersFor(subject) }),
  };
}

/** Redis goes while its clients are still there, and each says so. */
const quiet = (): void => void vi.spyOn(console, "error").mockReturnValue(undefined);

it("what one process revokes is closed in all, and refused by those that start later", async () => {
  const redis = await startRedisServer();
  onTestFinished(async () => {
    quiet();
    await redis.stop();
  });
  const one = await start(redis.url);
  const other = await start(redis.url);
  const [here, there, bob] = [
    await one.open("ann"),
    await other.open("ann"),
    await other.open("bob"),
  ];
  const closed = Promise.all([once(here, "close"), once(there, "close")]);
  // Who starts later has its tokens from then: they are as good as those of somebody who has signed in again.
  await one.revoke({ subject: "ann", issuedBefore: Date.now() + 60_000 });
  expect((await closed).map(([code, reason]) => `${code} ${reason}`)).toEqual([
    "3000 revoked",
    "3000 revoked",
  ]);
  expect(bob.readyState).toBe(1);
  const late = await start(redis.url);
  for (const { statusFor } of [one, other, late]) {
    expect([await statusFor("ann"), await statusFor("bob")]).toEqual([401, 101]);
  }
});
