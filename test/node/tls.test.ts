import { once } from "node:events";
import { createServer } from "node:https";
import {
  allowWith,
  attach,
  connectionOf,
  guard,
  insecureAnyOrigin,
  refuse,
  secure,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../support/certificate.ts";
import { dial, handshakeText, refusalOf } from "../support/raw-client.ts";
import {
  connectionsOf,
  deferred,
  echoOf,
  gatedServer,
  gatedWs,
  listen,
  openWebSocket,
} from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";

const certificate = await makeCertificate();

describe("over TLS", () => {
  it("wss works, and the handshake knows of the TLS under it", async () => {
    const policy = guard(insecureAnyOrigin(), secure(), ({ tls, scheme }) =>
      allowWith({
        scheme,
        protocol: tls?.protocol,
        name: tls?.serverName,
        isClientAuthorized: tls?.isClientAuthorized,
      }),
    );
    const { port, wss } = await gatedWs(policy, {}, createServer(certificate));
    const facts = deferred<object>();
    wss.on("connection", (_socket, request) => facts.resolve(connectionOf(request, policy).facts));
    const socket = await openWebSocket(`wss://localhost:${port}/chat`, [], { family: 4 });
    expect(await echoOf(socket, "hello")).toBe("hello");
    expect(await facts.promise).toEqual({
      scheme: "wss",
      protocol: "TLSv1.3",
      name: "localhost",
      isClientAuthorized: false,
    });
  });

  it("a refusal arrives whole, and the socket goes", async () => {
    const { port, server } = await gatedServer(
      guard(insecureAnyOrigin(), async () => refuse("forbidden")),
      {},
      createServer(certificate),
    );
    const answer = await refusalOf(port, {}, { isTls: true });
    expect(answer).toMatchObject({ status: 403, headers: { connection: "close" } });
    await expect.poll(() => connectionsOf(server), { timeout: 3_000 }).toBe(0);
  });

  it("a client that resets during a slow check harms nobody", async () => {
    const thrown = captureThrown();
    const entered = deferred<AbortSignal>();
    const { port, server } = await gatedServer(
      guard(insecureAnyOrigin(), ({ signal }) => {
        entered.resolve(signal);
        return new Promise(() => undefined);
      }),
      {},
      createServer(certificate),
    );
    const client = await dial(port, { isTls: true });
    client.send(handshakeText());
    const signal = await entered.promise;
    client.reset();
    if (!signal.aborted) await once(signal, "abort");
    await expect.poll(() => connectionsOf(server)).toBe(0);
    expect(thrown).toEqual([]);
  });

  it("denied peers are cut before the TLS handshake", async () => {
    const server = createServer(certificate);
    let handshakes = 0;
    server.on("secureConnection", () => handshakes++).on("tlsClientError", () => handshakes++);
    attach(server, guard(), { denyPeers: ["loopback"] });
    const client = await dial(await listen(server));
    expect(await client.closed).toBe("");
    expect(handshakes).toBe(0);
  });

  it("plain ws is refused by secure()", async () => {
    const { port } = await gatedServer(guard(insecureAnyOrigin(), secure()));
    expect((await refusalOf(port)).body).toContain("tls_required");
  });
});
