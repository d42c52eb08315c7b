import { allow, type Check, guard, insecureAnyOrigin, rateLimit, refuse } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { statusOf } from "../../support/raw-client.ts";
import { client, connectError, poll, socketIo } from "./socket-io.ts";

const refusing =
  (code: Parameters<typeof refuse>[0]): Check =>
  () =>
    refuse(code);

const policies: readonly (readonly [status: number, code: string, check: Check])[] = [
  [400, "rate_key_invalid", refusing("rate_key_invalid")],
  [401, "token_missing", refusing("token_missing")],
  [403, "forbidden", async () => refuse("forbidden")],
  [421, "host_denied", refusing("host_denied")],
  [429, "rate_limited", used(rateLimit({ limit: 1, windowMs: 60_000, pollLimit: 1 }))],
  [
    500,
    "check_failed",
    () => {
      throw new Error("a bug");
    },
  ],
  [503, "keys_unavailable", async () => refuse("keys_unavailable")],
];

/** A limit that others have used up. */
function used(limit: Check): Check {
  return async (handshake) => {
    await limit(handshake);
    return limit(handshake);
  };
}

describe.each(policies)("%i %s", (status, code, check) => {
  const policy = { "/socket.io/*": guard(insecureAnyOrigin(), check) };

  it("arrives as such on the wire: the polling handshake, a later poll, a message, the upgrade", async () => {
    const { port } = await socketIo(policy);
    for (const sketch of [
      {},
      { query: "EIO=4&transport=polling&sid=abc" },
      { query: "EIO=4&transport=polling&sid=abc", method: "POST", body: "40" },
      { query: "EIO=4&j=0&transport=polling" },
    ]) {
      const answer = await poll(port, sketch);
      expect(answer.status).toBe(status);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(answer.headers.connection).toBe("close");
      expect(JSON.parse(answer.body)).toMatchObject({ status, code });
    }
    const target = "/socket.io/?EIO=4&transport=websocket";
    expect(await statusOf(port, { target })).toBe(status);
  });

  it("is shown to a real client that polls", async () => {
    const { port } = await socketIo(policy);
    for (const transports of [["polling"], ["polling", "websocket"]]) {
      const error = await connectError(client(port, { transports }));
      expect(error.message).toBe("xhr poll error");
      expect(error.description).toBe(status);
      expect(error.context?.status).toBe(status);
    }
  });

  it("is shown to a real client that opens a WebSocket", async () => {
    const { port } = await socketIo(policy);
    const error = await connectError(client(port, { transports: ["websocket"] }));
    expect(error.message).toBe("websocket error");
    expect(error.description).toMatchObject({
      message: `Unexpected server response: ${status}`,
    });
  });
});

it("404 for a path without a guard, by every transport", async () => {
  const { port } = await socketIo({ "/chat": guard(() => allow) });
  expect((await poll(port)).status).toBe(404);
  expect((await connectError(client(port, { transports: ["polling"] }))).description).toBe(404);
  const error = await connectError(client(port, { transports: ["websocket"] }));
  expect(error.description).toMatchObject({ message: "Unexpected server response: 404" });
});

it("503 once the gate is closed, and Retry-After beside 429 and 503", async () => {
  const limited = guard(insecureAnyOrigin(), rateLimit({ limit: 1, windowMs: 60_000 }));
  const { port, gate } = await socketIo({ "/socket.io/*": limited });
  expect((await poll(port)).status).toBe(200);
  const refused = await poll(port);
  expect(refused.status).toBe(429);
  expect(refused.headers["retry-after"]).toBe("60");
  gate?.close();
  const closed = await poll(port);
  expect(closed.status).toBe(503);
  expect(closed.headers["retry-after"]).toBe("5");
});

it("without a gate all of that would be 400", async () => {
  const { port } = await socketIo(undefined, {
    allowRequest: (_request, decide) => decide("no token", false),
  });
  expect((await poll(port)).status).toBe(403);
  expect(await statusOf(port, { target: "/socket.io/?EIO=4&transport=websocket" })).toBe(400);
});
