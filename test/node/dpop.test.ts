import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Server } from "node:net";
import {
  connectionOf,
  type DecisionEvent,
  guard,
  insecureAnyOrigin,
  jwt,
  type ReplayStore,
} from "@firmshake/node";
import { createClient } from "redis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { hashOf, type Prover, proverOf } from "../core/tokens/proving.ts";
import { audience, issuer, secret } from "../core/tokens/signing.ts";
import { makeCertificate } from "../support/certificate.ts";
import { answerOver, offeringServer, openSession, openStream } from "../support/http2.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { deferred, echoOf, gatedWs, listen, openWebSocket } from "../support/server.ts";

const certificate = await makeCertificate();
let ann: Prover;
beforeAll(async () => {
  ann = await proverOf();
});

type Headers = Readonly<Record<string, string | readonly string[]>>;

/** A server whose own name the policy knows, with its port. */
async function provenServer(
  server: Server,
  { isTls = false, store }: { readonly isTls?: boolean; readonly store?: ReplayStore } = {},
): Promise<{
  readonly port: number;
  readonly htu: string;
  readonly subject: Promise<string>;
  readonly reasons: (string | undefined)[];
}> {
  const port = await listen(server);
  const origin = `${isTls ? "https" : "http"}://localhost:${port}`;
  const policy = guard(
    insecureAnyOrigin(),
    jwt({
      issuer,
      audience,
      keys: secret,
      dpop: { origins: [origin], ...(store === undefined ? {} : { store }) },
    }),
  );
  const reasons: (string | undefined)[] = [];
  const onDecision = ({ reason }: DecisionEvent): void => void reasons.push(reason);
  const { wss } = await gatedWs(policy, { onDecision }, server as never);
  const { promise: subject, resolve } = deferred<string>();
  wss.on("connection", (_socket, request) =>
    resolve(connectionOf(request, policy).identity.subject),
  );
  return { port, htu: `${origin}/chat`, subject, reasons };
}

const headersWith = (proof: string | readonly string[], scheme = "DPoP"): Headers => ({
  Authorization: `${scheme} ${ann.token}`,
  DPoP: proof,
});

/** What a `ws` client is answered instead of a WebSocket. */
async function refusedWith(
  url: string,
  headers: Headers,
): Promise<{ readonly status: number | undefined; readonly challenge: unknown }> {
  const socket = new WebSocket(url, [], { headers, family: 4 } as object);
  const [, response] = await once(socket, "unexpected-response");
  response.resume();
  const { statusCode: status, headers: answered } = response;
  return { status, challenge: answered["www-authenticate"] };
}

describe("DPoP over real sockets", () => {
  it.each([
    ["http", "ws", false],
    ["ws", "ws", false],
    ["https", "wss", true],
    ["wss", "wss", true],
  ])("a ws client that writes %s opens %s", async (written, scheme, isTls) => {
    const server = isTls ? createTlsServer(certificate) : createServer();
    const { port, subject } = await provenServer(server, { isTls });
    const proof = await ann.proof({ htu: `${written}://localhost:${port}/chat` });
    const socket = await openWebSocket(`${scheme}://localhost:${port}/chat?room=1`, [], {
      family: 4,
      headers: headersWith(proof),
    });
    expect(await echoOf(socket, "hello")).toBe("hello");
    expect(await subject).toBe("ann");
  });

  it("a second use of the same proof is refused, with the challenge", async () => {
    const { port, htu, reasons } = await provenServer(createServer());
    const headers = headersWith(await ann.proof({ htu }));
    const url = `ws://localhost:${port}/chat`;
    await openWebSocket(url, [], { family: 4, headers });
    expect(await refusedWith(url, headers)).toEqual({
      status: 401,
      challenge: 'DPoP realm="websocket", error="invalid_dpop_proof", algs="ES256 EdDSA Ed25519"',
    });
    expect(reasons).toEqual([undefined, "used before"]);
  });

  it.each<[string, (proof: () => Promise<string>) => Promise<Headers>, string | undefined]>([
    [
      "two headers",
      async (proof) => headersWith([await proof(), await proof()]),
      "more than one DPoP header",
    ],
    [
      "two proofs in one",
      async (proof) => headersWith(`${await proof()}, ${await proof()}`),
      "not a compact JWS in canonical base64url",
    ],
    ["no proof", async () => ({ Authorization: `DPoP ${ann.token}` }), "no DPoP header"],
    ["a token as bearer", async (proof) => headersWith(await proof(), "Bearer"), undefined],
    [
      "another name in Host",
      async (proof) => ({ ...headersWith(await proof()), Host: "localhost:1" }),
      "Host is none of the origins",
    ],
  ])("%s: refused", async (_, headers, reason) => {
    const { port, htu, reasons } = await provenServer(createServer());
    const given = await headers(() => ann.proof({ htu }));
    expect(await refusedWith(`ws://localhost:${port}/chat`, given)).toMatchObject({ status: 401 });
    expect(reasons).toEqual([reason]);
  });

  it("a proof for another path is refused", async () => {
    const { port, htu } = await provenServer(createServer());
    const headers = headersWith(await ann.proof({ htu }));
    expect(await refusedWith(`ws://localhost:${port}/other`, headers)).toMatchObject({
      status: 401,
    });
  });

  it("over HTTP/2 the method is CONNECT (RFC 8441 §4)", async () => {
    const { port, htu } = await provenServer(offeringServer() as Server);
    const session = await openSession(port);
    const sketch = async (htm: string): Promise<Record<string, string>> => ({
      ":authority": `localhost:${port}`,
      authorization: `DPoP ${ann.token}`,
      dpop: await ann.proof({ htu, htm }),
    });
    expect((await openStream(session, await sketch("CONNECT"))).headers[":status"]).toBe(200);
    expect((await answerOver(session, await sketch("GET"))).status).toBe(401);
  });
});

describe("used proofs in a real Redis, as docs/guide/dpop.md has it", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  it("are used once across processes' stores, and forgotten in time", async () => {
    const redis = await createClient({ url: server.url }).connect();
    try {
      const storeOf = (): ReplayStore => ({
        claim: async (id, ttlMs) =>
          (await redis.set(`dpop:${id}`, "", {
            condition: "NX",
            expiration: { type: "PX", value: ttlMs },
          })) === "OK",
      });
      const id = hashOf("a");
      const claims = Array.from({ length: 20 }, () => storeOf().claim(id, 60_000));
      expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
      expect(await redis.pTTL(`dpop:${id}`)).toBeGreaterThan(50_000);

      const { port, htu } = await provenServer(createServer(), { store: storeOf() });
      const url = `ws://localhost:${port}/chat`;
      const headers = headersWith(await ann.proof({ htu }));
      await openWebSocket(url, [], { family: 4, headers });
      expect(await refusedWith(url, headers)).toMatchObject({ status: 401 });
    } finally {
      redis.destroy();
    }
  });
});
