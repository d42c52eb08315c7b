import { once } from "node:events";
import { allowWith, type CloseEvent, guard, insecureAnyOrigin } from "@firmshake/node";
import { expect, it } from "vitest";
import { client, connected, socketIo } from "./socket-io.ts";

it("closes a WebSocket whose token is over, and the client comes again with another", async () => {
  const seen: (string | undefined)[] = [];
  const ended: CloseEvent[] = [];
  const policy = guard(insecureAnyOrigin(), ({ headers }) => {
    const token = headers.only("x-token");
    seen.push(token);
    const expiresAt = token === "first" ? Date.now() + 300 : undefined;
    return allowWith({ identity: { subject: "ada", scheme: "bearer", claims: {}, expiresAt } });
  });
  const { port } = await socketIo(
    { "/socket.io/*": policy },
    {},
    { onClose: (event) => void ended.push(event) },
  );
  const one = client(port, {
    transports: ["websocket"],
    extraHeaders: { "X-Token": "first" },
    reconnection: true,
    reconnectionDelay: 1,
  });
  await connected(one);
  const [reason, details] = await once(one as never, "disconnect");
  expect([reason, details.context.code]).toEqual(["transport close", 3000]);
  one.io.opts.extraHeaders = { "X-Token": "second" };
  await connected(one);
  expect(seen).toEqual(["first", "second"]);
  expect(ended).toMatchObject([{ code: "token_expired", subject: "ada" }]);
});
