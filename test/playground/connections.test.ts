import { once } from "node:events";
import { io } from "socket.io-client";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { type FrameworkName, frameworks } from "../../packages/playground/src/frameworks/all.ts";
import { libraries } from "../../packages/playground/src/libraries/all.ts";
import {
  type Playground,
  type PlaygroundOptions,
  startPlayground,
} from "../../packages/playground/src/playground.ts";
import type {
  CloseView,
  GuestAttempt,
  LibraryName,
  OpenView,
  RuleOrder,
} from "../../packages/playground/src/protocol.ts";

const frameworkNames = Object.keys(frameworks) as FrameworkName[];
const libraryNames = Object.keys(libraries) as LibraryName[];
const stacks = frameworkNames.flatMap((framework) =>
  libraryNames.map((library) => ({ framework, library })),
);
let playground: Playground;

afterEach(() => playground.close());

async function start(stack: Partial<PlaygroundOptions> = {}): Promise<void> {
  playground = await startPlayground({ port: { port: 0, mayMove: true }, ...stack });
}

const post = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  fetch(`${playground.lab.page}${path}`, { method: "POST", headers });

/** What the page is told, as it is told. */
async function listen(): Promise<{
  readonly open: () => OpenView | undefined;
  readonly closes: readonly CloseView[];
}> {
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const { body } = await fetch(`${playground.lab.page}/events`, { signal: over.signal });
  const closes: CloseView[] = [];
  let open: OpenView | undefined;
  let text = "";
  const read = async (): Promise<void> => {
    for await (const bytes of body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(bytes).toString();
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) {
        const [, name, data = ""] = /^event: (\S+)\ndata: (.*)$/.exec(event) ?? [];
        if (name === "open-connections") open = JSON.parse(data) as OpenView;
        if (name === "closed-connection") closes.push(JSON.parse(data) as CloseView);
      }
    }
  };
  read().catch(() => undefined);
  return { open: () => open, closes };
}

/** By ws, whatever it is that stands there: it says nothing of its own accord. */
async function bringGuest(): Promise<WebSocket> {
  const [guest] = (await (await post("/invitations")).json()) as readonly GuestAttempt[];
  if (guest === undefined) throw new Error("Nobody is invited.");
  const { page, gated } = playground.lab;
  const { query, greeting, read } = gated.library.dialect;
  const headers = { Origin: page };
  const socket = new WebSocket(`${guest.url}&${query}`, [...guest.protocols], { headers });
  onTestFinished(() => socket.terminate());
  socket.once("open", () => {
    for (const message of greeting) socket.send(message);
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data) => {
      if (read(String(data))?.type === "welcome") resolve();
    });
  });
  return socket;
}

async function closeOf(socket: WebSocket): Promise<string> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return `${code} ${reason}`;
}

describe.each(stacks)("open connections, on $framework and $library", (stack) => {
  it("are told with who it is, until when, and what has come", async () => {
    await start(stack);
    const told = await listen();
    await expect.poll(told.open).toMatchObject({ state: "open", connections: [] });
    const guest = await bringGuest();
    const { dialect } = playground.lab.gated.library;
    const ping = dialect.write({ type: "ping" });
    guest.send(ping);
    await expect
      .poll(() => told.open()?.connections, { timeout: 3_000 })
      .toMatchObject([{ subject: "Grace", path: "/guests", received: { messages: 1 } }]);
    const [view] = told.open()?.connections ?? [];
    const { acceptedAt = 0, expiresAt = 0 } = view ?? {};
    expect(expiresAt - acceptedAt).toBeGreaterThan(18_000);
    expect(expiresAt - acceptedAt).toBeLessThanOrEqual(20_000);
    // Each frame with its header and its mask.
    const bytes = [...dialect.greeting, ping].reduce((sum, message) => sum + 6 + message.length, 0);
    expect(view?.received.bytes).toBe(bytes);
    guest.close();
    await expect.poll(told.open).toMatchObject({ connections: [] });
    expect(told.closes).toEqual([]);
  });

  it("are drained, and the server is brought back, as often as one likes", async () => {
    await start(stack);
    const told = await listen();
    for (let time = 1; time <= 3; time++) {
      const closed = closeOf(await bringGuest());
      expect(await (await post("/drain")).json()).toEqual({ open: 1, closed: 1, terminated: 0 });
      expect(await closed).toBe("1012 draining;retry=5");
      await expect.poll(told.open).toMatchObject({ state: "drained", connections: [] });
      await expect(bringGuest()).rejects.toThrow("503");
      expect((await fetch(playground.lab.page)).status).toBe(200);
      expect((await post("/restart")).status).toBe(204);
      await expect.poll(told.open).toMatchObject({ state: "open" });
    }
    expect(told.closes).toHaveLength(3);
  });
});

describe("open connections", () => {
  it("are found by their id alone", async () => {
    await start();
    for (const path of ["/connections/toString/revoke", "/connections/x/token", "/rules/x"]) {
      expect((await post(path)).status, path).toBe(404);
    }
  });

  it("are not brought back where nothing was drained", async () => {
    await start();
    expect((await post("/restart")).status).toBe(409);
    const guest = await bringGuest();
    expect((await post("/restart")).status).toBe(409);
    expect(guest.readyState).toBe(WebSocket.OPEN);
  });

  it("are brought back once, however often that is asked for", async () => {
    await start();
    await post("/drain");
    const answers = await Promise.all(Array.from({ length: 5 }, () => post("/restart")));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([204, 409, 409, 409, 409]);
    await bringGuest();
  });

  it("are given a new token by whoever has the right one, and nobody else's", async () => {
    await start();
    const told = await listen();
    await bringGuest();
    await expect.poll(() => told.open()?.connections).toHaveLength(1);
    const [before] = told.open()?.connections ?? [];
    const id = before?.id ?? "";
    const renew = (token: string): Promise<Response> =>
      post("/renew", { Authorization: `Bearer ${token}`, "Firmshake-Connection": id });
    const { issuer } = playground.lab;
    expect((await renew(await issuer.sign("Ada"))).status).toBe(401);
    expect((await renew(await issuer.forge("Grace"))).status).toBe(401);
    const { token } = (await (await post(`/connections/${id}/token`)).json()) as { token: string };
    expect((await renew(token)).status).toBe(200);
    await expect
      .poll(() => told.open()?.connections[0]?.expiresAt)
      .toBeGreaterThan((before?.expiresAt ?? 0) + 30_000);
  });

  it("stay revoked over a restart", async () => {
    await start();
    const told = await listen();
    const [guest] = (await (await post("/invitations")).json()) as readonly GuestAttempt[];
    const closed = closeOf(await bringGuest());
    await expect.poll(() => told.open()?.connections).toHaveLength(1);
    const id = told.open()?.connections[0]?.id;
    expect(await (await post(`/connections/${id}/revoke`)).json()).toEqual({ closed: 1 });
    expect(await closed).toBe("3000 revoked");
    await post("/drain");
    await post("/restart");
    const late = new WebSocket(guest?.url ?? "", [...(guest?.protocols ?? [])]);
    const [error] = (await once(late, "error")) as [Error];
    expect(error.message).toContain("401");
  });

  it.each(libraryNames)("tell the close by which pings are answered, with %s", async (library) => {
    await start({ library });
    const order = (await (await post("/rules/pings")).json()) as RuleOrder;
    expect(order).toEqual({
      kind: "measured",
      heard: { closeCode: 1008, reason: "control_rate_exceeded" },
    });
  });

  it("count what comes on a WebSocket by which a session goes on that began by polling", async () => {
    await start({ library: "socket.io" });
    const told = await listen();
    const { page, issuer } = playground.lab;
    const socket = io(page, {
      path: "/chat",
      addTrailingSlash: false,
      protocols: ["chat.v1"],
      extraHeaders: { Authorization: `Bearer ${await issuer.sign("Ada")}` },
    });
    onTestFinished(() => void socket.disconnect());
    await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
    for (let sent = 0; sent < 3; sent++) socket.emit("request", { type: "ping" });
    await expect
      .poll(() => told.open()?.connections, { timeout: 3_000 })
      .toMatchObject([{ subject: "Ada", path: "/chat", received: { messages: 3 } }]);
  });
});
