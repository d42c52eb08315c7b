import {
  address,
  any,
  guard,
  jwt,
  origin,
  queryToken,
  refuse,
  subprotocolToken,
} from "@firmshake/core";
import { rewriteOf } from "@firmshake/core/gate";
import { expect, it } from "vitest";
import { handshakeOf } from "../../support/handshakes.ts";

const tokens = jwt({
  issuer: "https://id.example.com",
  audience: "chat",
  keys: new Uint8Array(32),
  from: [subprotocolToken(), queryToken("token")],
});
const listed = origin(["https://app.example.com"]);
const carrying = () =>
  handshakeOf({
    target: "/chat?token=secret&room=1",
    headers: { "sec-websocket-protocol": "bearer, secret, chat.v1" },
  });
const rewritten = { protocols: ["bearer", "chat.v1"], target: "/chat?room=1" };

it("keeps a token from the library although another branch let the handshake in", async () => {
  const handshake = carrying();
  const verdict = await guard(listed, any(address({ allow: ["203.0.113.0/24"] }), tokens)).decide(
    handshake,
  );
  expect(verdict.ok).toBe(true);
  expect(rewriteOf(handshake)).toEqual(rewritten);
});

it("keeps a token from the library although an earlier check would have refused, in report mode", async () => {
  const handshake = carrying();
  const reporting = guard({
    checks: [() => refuse("forbidden"), tokens],
    mode: "report",
    order: "written",
  });
  const verdict = await reporting.decide(handshake);
  expect(verdict).toMatchObject({ ok: true, reported: { code: "forbidden" } });
  expect(rewriteOf(handshake)).toEqual(rewritten);
});
