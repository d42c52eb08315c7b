import { expect, it } from "vitest";
import { guard, handshakeFrom, origin, jwt, rateLimit } from "@firmshake/core";

it("smoke", async () => {
  const chat = guard(origin(["https://app.example.com"]), jwt({ issuer: "https://id.example.com", audience: "chat", keys: new Uint8Array(32) }), rateLimit({limit: 3, windowMs: 1000}));
  console.log(chat.explain());
  const request = (origin: string) => new Request("http://x.example/chat?x=1", { headers: { upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", origin } });
  console.log(await chat.decide(handshakeFrom(request("https://app.example.com"), { peerAddress: "203.0.113.7" })));
  console.log(await chat.decide(handshakeFrom(request("https://evil.example"), { peerAddress: "203.0.113.7" })));
  expect(1).toBe(1);
});
