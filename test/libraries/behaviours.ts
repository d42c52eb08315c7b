import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import {
  type AnyCheck,
  allow,
  allowWith,
  connectionOf,
  guard,
  type Identity,
  insecureAnyOrigin,
  jwt,
  refuse,
  requestOf,
  subprotocolToken,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { expect } from "vitest";
import { WebSocketServer } from "ws";
import { answerIn, dial } from "../support/raw-client.ts";
import { connectionsOf, deferred } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { wsClient } from "./client.ts";
import type { BehaviourId, Library } from "./library.ts";
import { closeFrame, earlyFrames, handshakeFor, sayByHand, serve } from "./serve.ts";

/** What holds with every library. */
export interface Behaviour {
  readonly id: BehaviourId;
  /** The head of its column. */
  readonly heading: string;
  /** In a sentence. */
  readonly title: string;
  readonly verify: (library: Library) => Promise<void>;
}

const checksThat = {
  allow: [() => allow, async () => allow],
  refuse: [() => refuse("forbidden"), async () => refuse("forbidden")],
} as const satisfies Record<string, readonly AnyCheck[]>;

/** In the order of the table's columns. */
export const behaviours: readonly Behaviour[] = [
  {
    id: "accepted",
    heading: "accepts",
    title: "an accepted handshake works both ways, decided at once or later",
    verify: async (library) => {
      for (const check of checksThat.allow) {
        const { port, log, decisions } = await serve(library, { check });
        const client = await library.connect(port);
        expect(await client.say("hello")).toBe("hello");
        expect(await client.say("again")).toBe("again");
        expect(log).toEqual(["connection", "message hello", "message again"]);
        expect(
          ofOneConnection(
            library,
            decisions.map(({ outcome }) => outcome),
          ),
        ).toEqual(["accepted"]);
      }
    },
  },
  {
    id: "refused",
    heading: "refuses by HTTP",
    title: "a refusal is an HTTP answer with status and body, before any 101",
    verify: async (library) => {
      for (const check of checksThat.refuse) {
        const { port } = await serve(library, { check });
        const client = await dial(port);
        client.send(handshakeFor(library));
        const answer = answerIn(await client.closed);
        expect(answer.statusLine).toBe("HTTP/1.1 403 Forbidden");
        expect(answer.headers["content-length"]).toBe(String(answer.body.length));
        expect(JSON.parse(answer.body)).toMatchObject({ status: 403 });
        await expect(library.connect(port)).rejects.toBeDefined();
      }
    },
  },
  {
    id: "silent",
    heading: "refuses unseen",
    title: "the library's connection event does not fire for who was refused",
    verify: async (library) => {
      const thrown = captureThrown();
      for (const check of checksThat.refuse) {
        const { port, log } = await serve(library, { check });
        const client = await dial(port);
        client.send(
          Buffer.concat([Buffer.from(handshakeFor(library)), earlyFrames(library, ["hello"])]),
        );
        await client.closed;
        await expect(library.connect(port)).rejects.toBeDefined();
        expect(log).toEqual([]);
      }
      expect(thrown).toEqual([]);
    },
  },
  {
    id: "identity",
    heading: "identity",
    title: "who was authenticated is found by the request that the library hands out",
    verify: async (library) => {
      const ada: Identity = { subject: "ada", scheme: "test", claims: {}, expiresAt: undefined };
      const policy = guard(insecureAnyOrigin(), async () => allowWith({ identity: ada }));
      const { port, requests } = await serve(library, { policy: { [library.path]: policy } });
      const client = await library.connect(port);
      await client.say("hello");
      const [request] = requests as readonly [object];
      expect(connectionOf(request, policy).identity).toBe(ada);
      expect(connectionOf(request).path).toBe(library.target.split("?")[0]);
    },
  },
  {
    id: "resets",
    heading: "survives resets",
    title: "a client that resets during a slow check leaves nothing behind",
    verify: async (library) => {
      const thrown = captureThrown();
      const signals: AbortSignal[] = [];
      const { server, port, log, pending, decisions } = await serve(library, {
        check: ({ signal }) => {
          signals.push(signal);
          return new Promise<never>(() => undefined);
        },
      });
      const clients = await Promise.all([dial(port), dial(port), dial(port)]);
      for (const client of clients) client.send(handshakeFor(library));
      await expect.poll(pending).toBe(clients.length);
      for (const client of clients) client.reset();
      await expect.poll(pending).toBe(0);
      await expect.poll(() => connectionsOf(server)).toBe(0);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
      expect(decisions.map(({ outcome }) => outcome)).toEqual(clients.map(() => "abandoned"));
      const closed = once(server, "close");
      server.close();
      await closed;
      expect([log, thrown]).toEqual([[], []]);
    },
  },
  {
    id: "haste",
    heading: "survives haste",
    title: "a client that sends frames during a slow check harms nobody",
    verify: async (library) => {
      const thrown = captureThrown();
      const decisions = [deferred<typeof allow>(), deferred<typeof allow>()] as const;
      const sockets: Socket[] = [];
      const { port, pending } = await serve(library, {
        check: (handshake) => {
          sockets.push(requestOf(handshake).socket);
          return decisions[sockets.length - 1]?.promise ?? allow;
        },
      });
      const handshake = handshakeFor(library);
      const frames = earlyFrames(library, ["one", "two", "three"]);
      const hasty = await dial(port);
      hasty.send(handshake);
      await expect.poll(pending).toBe(1);
      hasty.send(frames);
      await expect.poll(() => sockets[0]?.bytesRead).toBe(handshake.length + frames.length);
      decisions[0].resolve(allow);
      await hasty.until(" 101 ");
      const client = library.connect(port);
      decisions[1].resolve(allow);
      expect(await (await client).say("hello")).toBe("hello");
      expect(thrown).toEqual([]);
    },
  },
  {
    id: "early",
    heading: "early frames",
    title: "frames that come with the handshake, or during a slow check, are read in their order",
    verify: async (library) => {
      for (const attached of ["never", "after"] as const) {
        const { port, log } = await serve(library, { attached });
        const client = await dial(port);
        const frames = earlyFrames(library, ["early-1", "early-2"]);
        client.send(Buffer.concat([Buffer.from(handshakeFor(library)), frames]));
        expect(orderIn(await client.until("early-2"))).toEqual(["early-1", "early-2"]);
        await expect.poll(() => log[0]).toBe("connection");
      }

      const decision = deferred<typeof allow>();
      const sockets: Socket[] = [];
      const { port, pending } = await serve(library, {
        check: (handshake) => {
          sockets.push(requestOf(handshake).socket);
          return decision.promise;
        },
      });
      const client = await dial(port);
      const first = Buffer.concat([
        Buffer.from(handshakeFor(library)),
        earlyFrames(library, ["early-1"]),
      ]);
      const second = library.frameOf("early-2");
      client.send(first);
      await expect.poll(pending).toBe(1);
      client.send(second);
      await expect.poll(() => sockets[0]?.bytesRead).toBe(first.length + second.length);
      decision.resolve(allow);
      await client.until("early-2");
      client.send(library.frameOf("early-3"));
      expect(orderIn(await client.until("early-3"))).toEqual(["early-1", "early-2", "early-3"]);
    },
  },
  {
    id: "order",
    heading: "either order",
    title: "the gate may be attached before the library or after it",
    verify: async (library) => {
      for (const attached of ["before", "after"] as const) {
        let isInvited = false;
        const check: AnyCheck = async () => (isInvited ? allow : refuse("forbidden"));
        const { port, log } = await serve(library, { attached, check });
        await expect(library.connect(port)).rejects.toBeDefined();
        expect(log).toEqual([]);
        isInvited = true;
        expect(await (await library.connect(port)).say("hello")).toBe("hello");
      }
    },
  },
  {
    id: "shared",
    heading: "shares a server",
    title:
      "a second library on the same server works as it does without the gate, each behind its own guard",
    verify: async (library) => {
      for (const attached of ["never", "after"] as const) {
        const asked: string[] = [];
        const asking = (name: string) =>
          guard(insecureAnyOrigin(), async () => {
            asked.push(name);
            return allow;
          });
        const policy = { [library.path]: asking(library.name), "/second": asking("second") };
        const { server, port } = await serve(library, { attached, policy });
        const wss = new WebSocketServer({ noServer: true });
        server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
          if (request.url !== "/second") return;
          wss.handleUpgrade(request, socket, head, (one) => wss.emit("connection", one, request));
        });
        wss.on("connection", (socket) => {
          socket.on("message", (data) => socket.send(`second ${data}`));
        });
        const clients = [await library.connect(port), await wsClient(port, "/second")] as const;
        expect(await Promise.all(clients.map((client) => client.say("hello")))).toEqual([
          "hello",
          "second hello",
        ]);
        const expected = attached === "never" ? [] : [library.name, "second"];
        expect(ofOneConnection(library, asked)).toEqual(expected);
      }
    },
  },
  {
    id: "elsewhere",
    heading: "other paths",
    title: "handshakes to paths without a guard are refused, whatever the library would say",
    verify: async (library) => {
      const { port, log } = await serve(library);
      for (const target of [
        "/",
        "/elsewhere",
        `/elsewhere${library.target}`,
        `${library.path.replace("/*", "")}x`,
      ]) {
        const client = await dial(port);
        client.send(handshakeFor(library, { target }));
        expect(answerIn(await client.closed).status).toBe(404);
      }
      expect(log).toEqual([]);
    },
  },
  {
    id: "tokens",
    heading: "tokens unseen",
    title: "a token among the subprotocols reaches neither the library nor the answer",
    verify: async (library) => {
      const issuer = "https://id.example.com";
      const keys = new TextEncoder().encode("a secret of thirty-two bytes.....");
      const token = await new SignJWT()
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("ada")
        .setIssuer(issuer)
        .setAudience("chat")
        .setExpirationTime("1h")
        .sign(keys);
      const { port, decisions, requests } = await serve(library, {
        check: jwt({ issuer, audience: "chat", keys, from: [subprotocolToken()] }),
      });
      const offered = ["bearer", token, ...(library.protocols ?? [])];
      const client = await dial(port);
      client.send(
        handshakeFor(library, { headers: { "Sec-WebSocket-Protocol": offered.join(", ") } }),
      );
      const text = await sayByHand(client, library, "hello");
      expect(answerIn(text).status).toBe(101);
      expect(text).not.toContain(token);
      expect(decisions).toMatchObject([{ outcome: "accepted", subject: "ada" }]);
      const { headers, rawHeaders } = requests[0] as IncomingMessage;
      expect(JSON.stringify([headers, rawHeaders])).not.toContain(token);
    },
  },
  {
    id: "unchanged",
    heading: "unchanged",
    title:
      "a gate that allows everything changes nothing: answer, events and their order, close codes, closing",
    verify: async (library) => {
      const bare = await observed(library, "never");
      expect(await observed(library, "after")).toEqual(bare);
      expect(bare.log.length).toBeGreaterThan(8);
    },
  },
];

/** What can be seen of a library from both sides, from the first handshake to the last socket. */
async function observed(
  library: Library,
  attached: "never" | "after",
): Promise<{
  readonly answer: string;
  readonly log: readonly string[];
  readonly clients: readonly (readonly string[])[];
}> {
  const { server, port, log, close } = await serve(library, { attached, check: async () => allow });
  let leavers = 0;
  const left = (): Promise<void> => {
    leavers++;
    return expect
      .poll(() => log.filter((entry) => entry.startsWith("close")).length)
      .toBe(leavers) as unknown as Promise<void>;
  };

  let answer = "";
  if (!library.polls) {
    const raw = await dial(port);
    raw.send(
      handshakeFor(library, { headers: { "Sec-WebSocket-Extensions": "permessage-deflate" } }),
    );
    await sayByHand(raw, library, "hello");
    raw.send(closeFrame);
    answer = (await raw.closed).replaceAll(library.random ?? /^$/g, "");
    await left();
  }

  const sentAway = await library.connect(port);
  await sentAway.say("one");
  await sentAway.say("two");
  sentAway.tell("leave");
  await sentAway.ended;
  await left();

  const going = await library.connect(port);
  await going.say("hello");
  going.close();
  await going.ended;
  await left();

  const staying = await library.connect(port);
  await staying.say("hello");
  const closed = once(server, "close");
  const closing = close();
  if (library.keepsClients) {
    await staying.say("still here");
    staying.close();
  }
  await Promise.all([staying.ended, closed, closing]);
  await left();
  return { answer, log, clients: [sentAway.log, going.log, staying.log] };
}

/** What is said once of a WebSocket is said of each request where a library polls. */
const ofOneConnection = ({ polls = false }: Library, said: readonly string[]): readonly string[] =>
  polls ? [...new Set(said)] : said;

/** The texts of early frames, in the order in which they were answered. */
const orderIn = (received: string): readonly string[] => [
  ...new Set(received.match(/early-\d/g) ?? []),
];
