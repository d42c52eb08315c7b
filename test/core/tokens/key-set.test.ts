import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { any, type Check, type JwksOptions, jwt, type Refusal } from "@firmshake/core";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { askedOf, handshakeOf } from "../../support/handshakes.ts";
import { audience, claims, issuer, type Pair, pairOf, tokenOf } from "./signing.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

let pairs: readonly Pair[];
let url: string;
let asked: string[];
let answer: Answer;
let close: () => Promise<unknown>;

const publishing =
  (...published: readonly Pair[]): Answer =>
  (response) =>
    void response.end(JSON.stringify({ keys: published.map(({ jwk }) => jwk) }));
const failing: Answer = (response) => void response.writeHead(500).end();

const [first, second] = [0, 1].map((index) => (): Pair => {
  const pair = pairs[index];
  if (pair === undefined) throw new Error("The pairs are made before the tests.");
  return pair;
}) as [() => Pair, () => Pair];

beforeAll(async () => {
  pairs = await Promise.all([pairOf("ES256", "first"), pairOf("ES256", "second")]);
});

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_800_000_000_000 });
  asked = [];
  answer = publishing(first());
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.setHeader("Content-Type", "application/json");
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
});

afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await close();
});

const checking = (jwks: JwksOptions = {}, more: object = {}): Check<object> =>
  jwt({ issuer, audience, jwksUri: url, jwks, ...more });
const signed = (pair: Pair, header: object = {}): Promise<string> =>
  tokenOf(
    claims({ exp: 1_900_000_000 }),
    { alg: "ES256", kid: pair.jwk.kid, ...header },
    pair.privateKey,
  );
const withToken = (token: string): ReturnType<typeof handshakeOf> =>
  handshakeOf({ headers: { authorization: `Bearer ${token}` } });
const ask = async (check: Check<object>, pair: Pair, header: object = {}): Promise<string> =>
  askedOf(check, withToken(await signed(pair, header)));

describe("published keys that cannot be had", () => {
  it("are asked for again after 5 s where there are none, and after the cooldown where there are", async () => {
    answer = failing;
    const check = checking({ cooldownMs: 30_000 });
    expect(await ask(check, first())).toBe("keys_unavailable");
    vi.advanceTimersByTime(4_999);
    expect(await ask(check, first())).toBe("keys_unavailable");
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    answer = publishing(first());
    expect(await ask(check, first())).toBe("allow");
    vi.advanceTimersByTime(29_999);
    expect(await ask(check, second())).toBe("token_invalid");
    expect(asked).toHaveLength(2);
  });

  it("make a token of an unknown key wait for better times, once the known keys are overdue", async () => {
    const check = checking({ maxAgeMs: 60_000, maxStaleMs: 3_600_000 });
    expect(await ask(check, first())).toBe("allow");
    answer = failing;
    vi.advanceTimersByTime(60_001);
    expect(await ask(check, first())).toBe("allow");
    expect(await ask(check, second())).toBe("keys_unavailable");
  });

  it("are not waited for longer than told, whatever a fetch of the application does", async () => {
    const deaf = (): Promise<Response> => new Promise(() => undefined);
    expect(await ask(checking({ timeoutMs: 20, fetch: deaf }), first())).toBe("keys_unavailable");
  });
});

describe("published keys", () => {
  it("are asked for when the first token comes, and then kept", async () => {
    const check = checking();
    expect(asked).toEqual([]);
    for (let count = 0; count < 3; count++) expect(await ask(check, first())).toBe("allow");
    expect(asked).toEqual(["GET /jwks"]);
  });

  it("vouch for what they signed, and for nothing else", async () => {
    const check = checking();
    expect(await ask(check, second())).toBe("token_invalid");
    expect(await ask(check, second(), { kid: "first" })).toBe("token_invalid");
    expect(await ask(check, first(), { kid: undefined })).toBe("allow");
  });

  it("are asked for once, however many tokens wait for them", async () => {
    let release: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      answer = (response, request) => {
        release = () => publishing(first())(response, request);
        resolve();
      };
    });
    const check = checking();
    const answers = Promise.all(Array.from({ length: 20 }, () => ask(check, first())));
    await arrived;
    release();
    expect(new Set(await answers)).toEqual(new Set(["allow"]));
    expect(asked).toHaveLength(1);
  });

  it("are asked for again when they have grown old", async () => {
    const check = checking({ maxAgeMs: 1_000, cooldownMs: 1 });
    await ask(check, first());
    vi.advanceTimersByTime(1_000);
    await ask(check, first());
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1);
    await ask(check, first());
    expect(asked).toHaveLength(2);
  });
});

describe("rotation", () => {
  it("is noticed by a key id that is not known", async () => {
    const check = checking({ cooldownMs: 1_000 });
    await ask(check, first());
    answer = publishing(first(), second());
    vi.advanceTimersByTime(1_000);
    expect(await ask(check, second())).toBe("allow");
    expect(await ask(check, first())).toBe("allow");
    expect(asked).toHaveLength(2);
  });

  it("is not asked about more often than the cooldown, whatever ids arrive", async () => {
    const check = checking({ cooldownMs: 1_000 });
    for (let count = 0; count < 10; count++) {
      expect(await ask(check, second(), { kid: `made up ${count}` })).toBe("token_invalid");
    }
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    for (let count = 0; count < 10; count++)
      await ask(check, second(), { kid: `made up ${count}` });
    expect(asked).toHaveLength(2);
  });

  it("is asked about once, however many tokens with unknown ids wait", async () => {
    const check = checking({ cooldownMs: 1_000 });
    await ask(check, first());
    answer = publishing(first(), second());
    vi.advanceTimersByTime(1_000);
    const answers = await Promise.all(Array.from({ length: 10 }, () => ask(check, second())));
    expect(new Set(answers)).toEqual(new Set(["allow"]));
    expect(asked).toHaveLength(2);
  });

  it("makes what a key vouched for end with the key, though it was remembered", async () => {
    const check = checking({ cooldownMs: 1_000 }, { cache: { maxTokens: 10 } });
    expect(await ask(check, first())).toBe("allow");
    answer = publishing(second());
    vi.advanceTimersByTime(1_000);
    expect(await ask(check, second())).toBe("allow");
    expect(await ask(check, first())).toBe("token_invalid");
  });
});

describe("an outage", () => {
  it.each<[string, Answer]>([
    ["an error", failing],
    ["nothing found", (response) => void response.writeHead(404).end("{}")],
    ["no content", (response) => void response.writeHead(204).end()],
    ["a redirect", (response) => void response.writeHead(302, { Location: "/other" }).end()],
    ["what is no JSON", (response) => void response.end("<html>")],
    ["what is no UTF-8", (response) => void response.end(Buffer.from([0xff]))],
    ["an empty body", (response) => void response.end()],
    ["null", (response) => void response.end("null")],
    ["no set", (response) => void response.end("{}")],
    ["a set that is no list", (response) => void response.end('{"keys":{}}')],
    ["an empty set", (response) => void response.end('{"keys":[]}')],
    ["a set of what are no keys", (response) => void response.end('{"keys":[1]}')],
    [
      "more keys than any issuer has",
      (response) => void response.end(JSON.stringify({ keys: Array(201).fill(first().jwk) })),
    ],
    ["a connection cut", (response) => void response.destroy()],
    [
      "half an answer",
      (response) => {
        response.writeHead(200, { "Content-Length": "100" });
        response.write('{"keys":');
        response.destroy();
      },
    ],
    [
      "more than a mebibyte",
      (response) =>
        void response.end(`{"keys":[${JSON.stringify(first().jwk)}]}${" ".repeat(1 << 20)}`),
    ],
  ])("by %s is told as such, and to come again", async (_, given) => {
    answer = given;
    const refusal = (await checking()(withToken(await signed(first())))) as Refusal;
    expect(refusal).toMatchObject({ code: "keys_unavailable", status: 503, retryable: true });
    expect(refusal.headers).toEqual([["Retry-After", "5"]]);
    expect(asked).toEqual(["GET /jwks"]);
  });

  it("by no answer in time", async () => {
    answer = () => undefined;
    expect(await ask(checking({ timeoutMs: 1 }), first())).toBe("keys_unavailable");
  });

  it("by an endless answer is cut off in time, and within its bound of bytes", async () => {
    let isClosed: Promise<unknown> = Promise.resolve();
    answer = (response) => {
      isClosed = new Promise((resolve) => response.on("close", resolve));
      const chunk = " ".repeat(1 << 16);
      const write = (): void => {
        while (!response.destroyed && response.write(chunk));
      };
      response.on("drain", write);
      write();
    };
    expect(await ask(checking(), first())).toBe("keys_unavailable");
    await isClosed;
  });

  it("ends: the keys are asked for again after the cooldown, and not before", async () => {
    answer = failing;
    const check = checking({ cooldownMs: 1_000 });
    expect(await ask(check, first())).toBe("keys_unavailable");
    answer = publishing(first());
    vi.advanceTimersByTime(999);
    expect(await ask(check, first())).toBe("keys_unavailable");
    vi.advanceTimersByTime(1);
    expect(await ask(check, first())).toBe("allow");
    expect(asked).toHaveLength(2);
  });

  it("is bridged by keys that were had before, within bounds", async () => {
    const check = checking({ maxAgeMs: 1_000, maxStaleMs: 5_000, cooldownMs: 100 });
    expect(await ask(check, first())).toBe("allow");
    answer = failing;
    vi.advanceTimersByTime(5_000);
    expect(await ask(check, first())).toBe("allow");
    expect(asked).toHaveLength(2);
    vi.advanceTimersByTime(1);
    expect(await ask(check, first())).toBe("keys_unavailable");
  });

  it("is not bridged by remembered tokens beyond these bounds", async () => {
    const jwks = { maxAgeMs: 1_000, maxStaleMs: 5_000, cooldownMs: 100 };
    const check = checking(jwks, { cache: { maxTokens: 10, maxAgeMs: 1e9 } });
    expect(await ask(check, first())).toBe("allow");
    answer = failing;
    vi.advanceTimersByTime(5_000);
    expect(await ask(check, first())).toBe("allow");
    vi.advanceTimersByTime(1);
    expect(await ask(check, first())).toBe("keys_unavailable");
  });

  it("does not make the staleness shorter than the age", async () => {
    const check = checking({ maxAgeMs: 1_000, maxStaleMs: 1, cooldownMs: 100 });
    await ask(check, first());
    vi.advanceTimersByTime(500);
    expect(await ask(check, first())).toBe("allow");
  });

  it("while a key id is unknown makes that token invalid, and others stay good", async () => {
    const check = checking({ cooldownMs: 100 });
    await ask(check, first());
    answer = failing;
    vi.advanceTimersByTime(100);
    expect(await ask(check, second())).toBe("token_invalid");
    expect(await ask(check, first())).toBe("allow");
  });

  it("of one issuer leaves the tokens of another good", async () => {
    answer = failing;
    const other = jwt({ issuer, audience, keys: second().jwk });
    expect(await ask(any(checking(), other), second())).toBe("allow");
  });
});

describe("the question", () => {
  it("is asked by the fetch that was given: once, bounded, without following redirects", async () => {
    const given = vi.fn<typeof fetch>(
      async () => new Response(JSON.stringify({ keys: [first().jwk] })),
    );
    expect(await ask(checking({ fetch: given }), first())).toBe("allow");
    const [uri, init] = given.mock.calls[0] ?? [];
    expect(String(uri)).toBe(url);
    expect(init?.redirect).toBe("error");
    expect(init?.signal).toBeInstanceOf(AbortSignal);
    expect(asked).toEqual([]);
  });

  it("survives a fetch that throws, and answers without a body", async () => {
    const throwing = vi.fn<typeof fetch>(() => {
      throw new Error("no network");
    });
    expect(await ask(checking({ fetch: throwing }), first())).toBe("keys_unavailable");
    expect(await ask(checking({ fetch: async () => new Response(null) }), first())).toBe(
      "keys_unavailable",
    );
    expect(
      await ask(checking({ fetch: async () => new Response(null, { status: 500 }) }), first()),
    ).toBe("keys_unavailable");
  });
});
