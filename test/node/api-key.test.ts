import {
  apiKey,
  bearerToken,
  connectionOf,
  createApiKey,
  type DecisionEvent,
  guard,
  headerToken,
  insecureAnyOrigin,
  queryToken,
  subprotocolToken,
} from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { answerIn, dial, handshakeText, type RawHandshake } from "../support/raw-client.ts";
import { gatedServer } from "../support/server.ts";

const { key, id, hash } = await createApiKey({ prefix: "acme" });
const wrong = key.slice(0, -64) + (await createApiKey({ prefix: "acme" })).key.slice(-64);
const from = [
  bearerToken(),
  headerToken("X-API-Key"),
  subprotocolToken("bearer"),
  queryToken("key"),
];

describe("an API key on the wire", () => {
  it.each<[string, (key: string) => RawHandshake]>([
    ["Authorization", (sent) => ({ headers: { Authorization: `Bearer ${sent}` } })],
    ["X-API-Key", (sent) => ({ headers: { "X-API-Key": sent } })],
    ["a subprotocol", (sent) => ({ headers: { "Sec-WebSocket-Protocol": `bearer, ${sent}, a` } })],
    ["the query", (sent) => ({ target: `/chat?key=${sent}` })],
  ])(
    "in %s is told to nobody: no event, no answer, no library's URL or subprotocol",
    async (_, sketch) => {
      const events: DecisionEvent[] = [];
      const policy = guard(
        insecureAnyOrigin(),
        apiKey({ keys: [{ id, hash, subject: "billing" }], from }),
      );
      const { port, handedOver } = await gatedServer(policy, {
        onDecision: (event) => events.push(event),
      });
      const good = await dial(port);
      good.send(handshakeText(sketch(key)));
      await good.until("\r\n\r\n");
      const bad = await dial(port);
      bad.send(handshakeText(sketch(wrong)));
      const answer = await bad.closed;
      expect(answerIn(answer).status).toBe(401);
      const [request] = handedOver.map((one) => one.request);
      if (request === undefined) throw new Error("Nothing was handed over.");
      expect(connectionOf(request, policy).facts.apiKeyId).toBe(id);
      const told = [
        JSON.stringify(events),
        answer,
        request.url,
        request.headers["sec-websocket-protocol"],
      ].join();
      expect(events.map(({ subject, code }) => subject ?? code)).toEqual([
        "billing",
        "token_invalid",
      ]);
      for (const secret of [key, wrong, hash]) expect(told).not.toContain(secret.slice(-64));
    },
  );
});
