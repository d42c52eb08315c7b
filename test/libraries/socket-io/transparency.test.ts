import { once } from "node:events";
import { allow, guard, insecureAnyOrigin, type Policy } from "@firmshake/node";
import { describe, expect, it } from "vitest";
import { client, connected, poll, sidIn, socketIo } from "./socket-io.ts";

const open = {
  "a synchronous policy": { "/socket.io/*": guard(insecureAnyOrigin(), () => allow) },
  "an asynchronous policy": { "/socket.io/*": guard(insecureAnyOrigin(), async () => allow) },
} as const;

/** Long messages, and compression as it was offered. */
const asWithout = { limits: { maxMessageBytes: 1_000_000, compression: "allow" } } as const;

/** Everything that a server's and a client's code sees of a whole session, in order. */
async function transcriptOf(policy: Policy | undefined, transports: string[]): Promise<unknown> {
  const server: unknown[] = [];
  const seen: unknown[] = [];
  const { io, port } = await socketIo(policy, {}, asWithout);
  io.engine.on("initial_headers", (headers: object, request: { method: string }) =>
    server.push(["initial_headers", headers, request.method]),
  );
  io.engine.on("connection_error", ({ code }: { code: number }) => server.push(["error", code]));
  io.use((socket, next) => {
    server.push([
      "middleware",
      socket.handshake.query.transport,
      socket.handshake.url.slice(0, 11),
    ]);
    next();
  });
  const left = new Promise<void>((resolve) => {
    io.on("connection", (socket) => {
      server.push([
        "connection",
        socket.conn.transport.name,
        socket.conn.protocol,
        socket.recovered,
      ]);
      socket.conn.on("upgrading", () => server.push(["upgrading"]));
      socket.conn.on("upgrade", (transport: { name: string }) => {
        server.push(["upgrade", transport.name, Object.keys(socket.request.headers).sort()]);
        socket.emit("upgraded");
      });
      socket.on("echo", (data: unknown, answer: (data: unknown) => void) => {
        server.push(["echo", data]);
        answer(data);
      });
      socket.on("enter", async (room: string, answer: () => void) => {
        await socket.join(room);
        server.push(["rooms", socket.rooms.size]);
        answer();
        io.to(room).emit("news", room, Buffer.from([1, 2, 3]));
      });
      socket.on("disconnect", (reason) => {
        server.push(["disconnect", reason]);
        resolve();
      });
    });
  });
  const one = client(port, { transports });
  one.onAny((...args: unknown[]) => void seen.push(args));
  const upgraded =
    transports.length > 1 ? once(one as never, "upgraded") : Promise.resolve(undefined);
  // Whether it has moved to the WebSocket by then is left to chance, with the gate and without.
  one.once("connect", () => seen.push(["connected", one.recovered]));
  await connected(one);
  await upgraded;
  seen.push([one.io.engine.transport.name]);
  seen.push(await one.emitWithAck("echo", "text"));
  seen.push(await one.emitWithAck("echo", { deep: [Buffer.alloc(100_000, 7)] }));
  const news = once(one as never, "news");
  await one.emitWithAck("enter", "room");
  await news;
  one.disconnect();
  await left;
  return { server, seen };
}

describe.each(Object.entries(open))("behind %s", (_, policy) => {
  it.each([[["polling", "websocket"]], [["polling"]], [["websocket"]]])(
    "a session by %j is what it was",
    async (transports) => {
      const gated = await transcriptOf(policy, transports);
      expect(gated).toEqual(await transcriptOf(undefined, transports));
    },
  );

  it("the answers to bare requests are what they were, to the header", async () => {
    const answers = await Promise.all(
      [policy, undefined].map(async (one) => {
        const { port } = await socketIo(one, { allowEIO3: true, cookie: true, pingInterval: 300 });
        const ask = async (sketch: Parameters<typeof poll>[1]): Promise<unknown> => {
          const { statusLine, headers, body } = await poll(port, sketch);
          const { date: _date, "set-cookie": cookie, ...others } = headers;
          return [
            statusLine,
            others,
            cookie?.replace(/=[^;]+/, ""),
            body.replace(/"sid\\?":\\?"[\w-]+/, ""),
          ];
        };
        const sid = sidIn(await poll(port));
        const query = `EIO=4&transport=polling&sid=${sid}`;
        return [
          await ask({}),
          await ask({ query: "EIO=3&transport=polling" }),
          await ask({ query: "EIO=3&transport=polling&b64=1&j=0" }),
          await ask({ query: "EIO=4&transport=polling&j=0" }),
          await ask({ query, method: "POST", body: "40" }),
          await ask({ query }),
          await ask({ query, method: "POST", body: "x".repeat(1_100_000) }),
          await ask({ query: "EIO=4&transport=polling&sid=made-up" }),
          await ask({ query: "EIO=4&transport=polling", method: "POST", body: "40" }),
          await ask({ query: "EIO=4&transport=websocket" }),
          await ask({ query: "EIO=4" }),
          await ask({ path: "/socket.io/socket.io.js", query: "" }),
        ];
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
  });
});
