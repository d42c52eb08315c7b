import { once } from "node:events";
import {
  allowWith,
  attach,
  bindSessions,
  type Check,
  type ForeignAttempt,
  guard,
  type Identity,
  insecureAnyOrigin,
  refuse,
  requestOf,
} from "@firmshake/node";
import { Server, type Socket as ServerSocket } from "socket.io";
import type { Socket } from "socket.io-client";
import { describe, expect, it } from "vitest";
import { thrownBy } from "../../support/handshakes.ts";
import { client, connectError, connected, socketIo } from "./socket-io.ts";

/** Who comes says so; without a name nobody may come. */
const named: Check<{ readonly identity: Identity }> = (handshake) => {
  const { "x-name": name } = requestOf(handshake).headers;
  return typeof name === "string"
    ? allowWith({
        identity: { subject: name, claims: {}, scheme: "test", expiresAt: undefined },
      })
    : refuse("token_missing");
};
const byName = guard(insecureAnyOrigin(), named);
const as = (name: string): object => ({ extraHeaders: { "X-Name": name } });

interface Recovery {
  /** Ann, cut off while a message for her room is on its way. */
  readonly ann: Socket;
  readonly annId: string | undefined;
  readonly port: number;
  readonly next: () => Promise<ServerSocket>;
  /** What each client was sent, by the names that were given. */
  readonly heard: unknown[];
  readonly middlewares: string[];
}

async function cutOff(
  prepare: (io: Server) => void,
  namespace = "",
  options: object = {},
): Promise<Recovery> {
  const { port, io } = await socketIo(byName, { connectionStateRecovery: options }, {}, prepare);
  const at = io.of(namespace === "" ? "/" : namespace);
  const middlewares: string[] = [];
  at.use((socket, goOn) => {
    middlewares.push(String(socket.request.headers["x-name"]));
    goOn();
  });
  const next = async (): Promise<ServerSocket> => {
    const [socket] = (await once(at, "connection")) as [ServerSocket];
    return socket;
  };
  const heard: unknown[] = [];
  const ann = client(port, as("ann"), namespace);
  ann.onAny((...args) => void heard.push(["ann", ...args.slice(0, 2)]));
  const [socket] = await Promise.all([next(), connected(ann)]);
  socket.data = { secret: "ann's" };
  await socket.join("ann's room");
  const first = once(ann as never, "news");
  at.to("ann's room").emit("news", "first");
  await first;
  const annId = ann.id;
  const gone = once(socket, "disconnect");
  ann.io.engine.close();
  await gone;
  at.to("ann's room").emit("news", "missed");
  return { ann, annId, port, next, heard, middlewares };
}

/** A client that says what a stolen private id lets it say. */
function thief(port: number, ann: Socket, name: string, heard: unknown[], namespace = ""): Socket {
  const { _pid, _lastOffset } = ann as unknown as { _pid: string; _lastOffset: string };
  const one = client(port, { ...as(name), autoConnect: false }, namespace);
  Object.assign(one, { _pid, _lastOffset });
  one.onAny((...args) => void heard.push([name, ...args.slice(0, 2)]));
  one.connect();
  return one;
}

it("Socket.IO by itself gives everything to whoever has the private id, and asks no middleware", async () => {
  const { ann, port, next, heard, middlewares } = await cutOff(() => undefined);
  const bob = thief(port, ann, "bob", heard);
  const [socket] = await Promise.all([next(), connected(bob)]);
  expect(socket.recovered).toBe(true);
  expect(socket.data).toEqual({ secret: "ann's" });
  await expect.poll(() => heard).toContainEqual(["bob", "news", "missed"]);
  expect(middlewares).toEqual(["ann"]);
});

it("the gate decides on the transport of whoever recovers, as on any other", async () => {
  const { ann, port } = await cutOff(() => undefined);
  const { _pid, _lastOffset } = ann as unknown as { _pid: string; _lastOffset: string };
  for (const [transport, answers] of [
    ["polling", 401],
    ["websocket", "Unexpected server response: 401"],
  ] as const) {
    const nobody = client(port, { transports: [transport], autoConnect: false });
    Object.assign(nobody, { _pid, _lastOffset });
    const refused = connectError(nobody);
    nobody.connect();
    const { description } = await refused;
    expect(typeof description === "object" ? description.message : description).toBe(answers);
  }
});

describe.each([
  ["the default namespace", ""],
  ["another namespace", "/admin"],
])("bindSessions, in %s", (_, namespace) => {
  function bound(attempts: ForeignAttempt[]): (io: Server) => void {
    return (io) => {
      if (namespace !== "") io.of(namespace);
      bindSessions(io, { onForeign: (attempt) => attempts.push(attempt) });
    };
  }

  it.each([
    ["skipping middlewares, as by default", {}],
    ["running middlewares", { skipMiddlewares: false }],
  ])("gives the owner everything back: %s", async (_case, options) => {
    const attempts: ForeignAttempt[] = [];
    const { ann, annId, next, heard } = await cutOff(bound(attempts), namespace, options);
    ann.connect();
    const [socket] = await Promise.all([next(), connected(ann)]);
    expect(socket.recovered).toBe(true);
    expect(ann.recovered).toBe(true);
    expect(ann.id).toBe(annId);
    expect(socket.data).toEqual({ secret: "ann's" });
    expect([...socket.rooms]).toContain("ann's room");
    await expect.poll(() => heard).toContainEqual(["ann", "news", "missed"]);
    expect(attempts).toEqual([]);
  });

  it.each([
    ["skipping middlewares, as by default", {}],
    ["running middlewares", { skipMiddlewares: false }],
  ])("gives another nothing, and tells of it: %s", async (_case, options) => {
    const attempts: ForeignAttempt[] = [];
    const { ann, annId, port, next, heard, middlewares } = await cutOff(
      bound(attempts),
      namespace,
      options,
    );
    const bob = thief(port, ann, "bob", heard, namespace);
    const [socket] = await Promise.all([next(), connected(bob)]);
    expect(socket.recovered).toBe(false);
    expect(bob.recovered).toBe(false);
    expect(bob.id).not.toBe(annId);
    expect(socket.data).toEqual({});
    expect([...socket.rooms]).toEqual([socket.id]);
    expect(middlewares).toEqual(["ann", "bob"]);
    socket.emit("news", "for bob");
    await expect.poll(() => heard).toContainEqual(["bob", "news", "for bob"]);
    expect(heard).not.toContainEqual(["bob", "news", "missed"]);
    expect(attempts).toMatchObject([{ kind: "recovery", identity: { subject: "bob" } }]);
    // The owner still gets it.
    ann.connect();
    await connected(ann);
    expect(ann.recovered).toBe(true);
  });
});

it("holds in namespaces that are made later, by name or by pattern", async () => {
  for (const name of ["/later", "/room-7"]) {
    const attempts: ForeignAttempt[] = [];
    const { ann, port, next, heard } = await cutOff((io) => {
      bindSessions(io, { onForeign: (attempt) => attempts.push(attempt) });
      io.of(/^\/room-\d$/);
      if (name === "/later") io.of(name);
    }, name);
    const bob = thief(port, ann, "bob", heard, name);
    const [socket] = await Promise.all([next(), connected(bob)]);
    expect(socket.recovered).toBe(false);
    expect(attempts.length).toBe(1);
  }
});

it("an owner whose data is no object gets it back", async () => {
  const { ann, next } = await cutOff((io) => {
    bindSessions(io);
    io.on("connection", (socket) => {
      socket.on("disconnecting", () => {
        socket.data = "a text";
      });
    });
  });
  ann.connect();
  const [socket] = await Promise.all([next(), connected(ann)]);
  expect(socket.data).toBe("a text");
});

it("a session that some other process kept without an owner is given to nobody", async () => {
  const attempts: ForeignAttempt[] = [];
  const { ann, next } = await cutOff((io) => {
    const adapter = io.of("/").adapter as unknown as { persistSession: () => void };
    const persist = adapter.persistSession.bind(adapter);
    bindSessions(io, { onForeign: (attempt) => attempts.push(attempt) });
    adapter.persistSession = persist;
  });
  ann.connect();
  const [socket] = await Promise.all([next(), connected(ann)]);
  expect(socket.recovered).toBe(false);
  expect(attempts.length).toBe(1);
});

it("an adapter that was put in later, and knows no owners, recovers nobody for long", async () => {
  const attempts: ForeignAttempt[] = [];
  const { ann } = await cutOff((io) => {
    bindSessions(io, { onForeign: (attempt) => attempts.push(attempt) });
    io.adapter(io.of("/").adapter.constructor as never);
  });
  const cut = new Promise((resolve) => ann.once("disconnect", resolve));
  ann.connect();
  await cut;
  expect(attempts).toMatchObject([{ kind: "recovery", identity: { subject: "ann" } }]);
});

it("without a gate nothing is kept for anybody", async () => {
  const { io, port } = await socketIo(undefined, { connectionStateRecovery: {} }, {}, bindSessions);
  const one = client(port);
  const [[socket]] = (await Promise.all([once(io, "connection"), connected(one)])) as never as [
    [ServerSocket],
  ];
  const first = once(one as never, "news");
  io.emit("news");
  await first;
  const gone = once(socket, "disconnect");
  one.io.engine.close();
  await gone;
  one.connect();
  await connected(one);
  expect(one.recovered).toBe(false);
});

it("is given a Socket.IO server that is on its HTTP server", () => {
  expect(thrownBy(() => bindSessions(new Server() as never))).toContain(
    "bindSessions: give the Socket.IO server",
  );
  expect(thrownBy(() => bindSessions(undefined as never))).toContain(
    "bindSessions: give the Socket.IO server",
  );
  expect(thrownBy(() => bindSessions({ attach } as never))).toContain(
    "bindSessions: give the Socket.IO server",
  );
});
