import {
  attach,
  guard,
  insecureAnyOrigin,
  jwt,
  type StandingEvent,
  type Violations,
  type ViolationsOptions,
  violations,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { thrownBy } from "../support/handshakes.ts";
import { refusalOf, statusOf } from "../support/raw-client.ts";
import { gatedServer } from "../support/server.ts";

const secret = new Uint8Array(32).fill(7);
const chat = guard(
  insecureAnyOrigin(),
  jwt({ issuer: "https://id.example.com", audience: "chat", keys: secret }),
);

const tokenOf = (subject: string): Promise<string> =>
  new SignJWT({})
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer("https://id.example.com")
    .setAudience("chat")
    .setSubject(subject)
    .setExpirationTime("1h")
    .sign(secret);

const bearing = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
const forged = bearing("eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl");

interface Scene {
  readonly port: number;
  readonly conduct: Violations;
  readonly events: StandingEvent[];
  readonly next: Awaited<ReturnType<typeof gatedServer>>["next"];
  readonly wait: (milliseconds: number) => void;
}

async function scene(options: ViolationsOptions = {}): Promise<Scene> {
  const events: StandingEvent[] = [];
  let time = 0;
  const conduct = violations({
    ...options,
    now: () => time,
    onStanding: (event) => events.push(event),
  });
  const { port, next } = await gatedServer(chat, { violations: conduct });
  const wait = (milliseconds: number): void => {
    time += milliseconds;
  };
  return { port, conduct, events, next, wait };
}

async function forge(port: number, times: number): Promise<void> {
  for (let count = 0; count < times; count++) await refusalOf(port, forged);
}

describe("whoever forges tokens", () => {
  it("is warned of, then throttled, then banned", async () => {
    const { port, events } = await scene({ warnAt: 4, throttleAt: 8, closeAt: 0, banAt: 10 });
    await forge(port, 4);
    expect(await refusalOf(port, forged)).toMatchObject({
      status: 429,
      headers: { "retry-after": "1" },
    });
    expect(events).toEqual([
      {
        standing: "warned",
        kind: "token_invalid",
        points: 4,
        address: "127.0.0.1",
        subject: undefined,
      },
      {
        standing: "throttled",
        kind: "token_invalid",
        points: 8,
        address: "127.0.0.1",
        subject: undefined,
      },
    ]);
  });

  it("is not kept out for longer by asking while it is", async () => {
    const { port, conduct, wait } = await scene({
      throttleAt: 4,
      banAt: 10,
      closeAt: 0,
      warnAt: 0,
    });
    await forge(port, 20);
    expect(conduct.standingOf({ address: "127.0.0.1" })).toBe("throttled");
    wait(60_000);
    expect(conduct.standingOf({ address: "127.0.0.1" })).toBe("good");
  });

  it("gets nowhere while it is banned, and comes back afterwards", async () => {
    const { port, wait } = await scene({ warnAt: 0, throttleAt: 0, closeAt: 0, banAt: 4 });
    await forge(port, 2);
    const good = bearing(await tokenOf("ann"));
    expect(await refusalOf(port, good)).toMatchObject({
      status: 403,
      body: expect.stringContaining(`"code":"banned"`),
    });
    wait(600_001);
    expect(await statusOf(port, good)).toBe(101);
  });
});

describe("who is authenticated", () => {
  it("has points of its own, and others behind the same address have none of them", async () => {
    const { port, conduct, next } = await scene({ banAt: 80 });
    const accepted = next();
    expect(await statusOf(port, bearing(await tokenOf("mallory")))).toBe(101);
    const { request } = await accepted;
    expect(conduct.report(request, "spam", 30)).toBe("throttled");
    expect(conduct.report(request, "spam", 50)).toBe("banned");
    expect(await refusalOf(port, bearing(await tokenOf("mallory")))).toMatchObject({ status: 403 });
    expect(await statusOf(port, bearing(await tokenOf("ann")))).toBe(101);
    expect(conduct.standingOf({ address: "127.0.0.1" })).toBe("good");
    expect(conduct.standingOf({ subject: "mallory", issuer: "https://id.example.com" })).toBe(
      "banned",
    );
  });

  it("is pardoned by a word", async () => {
    const { port, conduct } = await scene();
    const mallory = { subject: "mallory", issuer: "https://id.example.com" };
    conduct.ban(mallory);
    expect(await statusOf(port, bearing(await tokenOf("mallory")))).toBe(403);
    conduct.pardon(mallory);
    expect(await statusOf(port, bearing(await tokenOf("mallory")))).toBe(101);
  });
});

it("lays nothing to visitors of a hostile page", async () => {
  const conduct = violations({ banAt: 1, warnAt: 0, throttleAt: 0, closeAt: 0 });
  const { port } = await gatedServer(guard(), { violations: conduct });
  for (let count = 0; count < 5; count++) {
    await refusalOf(port, { headers: { origin: "https://evil.example" } });
  }
  expect(conduct.standingOf({ address: "127.0.0.1" })).toBe("good");
});

it("counts a kind of the application's as often as it says, and one without points never", async () => {
  const { port, conduct, next } = await scene({ points: { spam: 15 } });
  const accepted = next();
  await statusOf(port, bearing(await tokenOf("ann")));
  const { request } = await accepted;
  expect(conduct.report(request, "unheard of")).toBe("good");
  expect(conduct.report(request, "spam")).toBe("warned");
  expect(conduct.report(request, "spam")).toBe("throttled");
});

it.each([
  { options: { banAt: -1 }, says: /banAt.*0 or more/ },
  { options: { warnAt: 50 }, says: /must rise/ },
  { options: { points: { spam: "many" } }, says: /points\.spam/ },
  { options: { halfLife: 5 }, says: /Did you mean "halfLifeMs"/ },
])("says what is wrong with $options", ({ options, says }) => {
  expect(thrownBy(() => violations(options as never))).toMatch(says);
});

it("is not taken from hands that did not make it", async () => {
  const { server } = await gatedServer(guard());
  expect(thrownBy(() => attach(server, guard(), { violations: { ...violations() } }))).toMatch(
    /violations\(\{/,
  );
});

it.each([{}, { address: "localhost" }, { subject: 5 }])("knows nobody by %o", (party) => {
  expect(thrownBy(() => violations().ban(party as never))).toMatch(/write \{ address \}/);
});
