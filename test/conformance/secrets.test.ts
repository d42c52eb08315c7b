import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import { inspect } from "node:util";
import {
  type AnyCheck,
  allow,
  bearerToken,
  type Check,
  cookieToken,
  type DecisionEvent,
  guard,
  jwt,
  origin,
  queryToken,
  subprotocolToken,
} from "@firmshake/node";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { audience, claims, forged, issuer, secret, tokenOf } from "../core/tokens/signing.ts";
import { dial, handshakeText, type RawHandshake } from "../support/raw-client.ts";
import { deferred, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { everywhere, frameworks, ofFastify } from "./frameworks.ts";

const privateNote = "known to the issuer alone";
const withNote = (changed: Record<string, unknown> = {}) =>
  claims({ note: privateNote, ...changed });
const good = await tokenOf(withNote());
const second = await tokenOf(withNote({ sub: "bob" }));
const expired = await tokenOf(withNote({ exp: 1 }));
const mistaken = forged(
  { alg: "HS256" },
  withNote(),
  "c2lnbmVkIGJ5IHNvbWVib2R5IGVsc2UsIG5vdCBieSB1cw",
);
const malformed = "not.a-token.but-perhaps-a-password!";

/** Every spelling in which some client sends a token, and what is left of it when it is cut, decoded or encoded. */
function needlesOf(token: string): readonly string[] {
  const parts = token.split(".").filter((part) => part.length > 8);
  // Of tokens that the project's own tests sign the first part is the same.
  const own = token.startsWith("eyJ") ? parts.slice(1) : parts;
  return [token, ...own, inBase64url(token), everyLetterEscaped(token)].map((needle) =>
    needle.slice(0, 60),
  );
}

const inBase64url = (text: string): string => Buffer.from(text).toString("base64url");
const everyLetterEscaped = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join("");

interface Place {
  readonly place: string;
  /** Whether the guard reads tokens there. */
  readonly isRead: boolean;
  /** Whether it is kept from the library as well: these are what libraries echo, parse and log. */
  readonly isWithheld?: boolean;
  readonly isPath?: boolean;
  /** For all that is known it is the name of a protocol, and ws agrees to it. A check `subprotocol([...])` leaves it no choice. */
  readonly isEchoed?: boolean;
  readonly plant: (token: string) => RawHandshake;
}

const inHeader =
  (name: string, write: (token: string) => string = (token) => token): Place["plant"] =>
  (token) => ({ headers: { Origin: "https://app.example.com", [name]: write(token) } });
const inTarget =
  (write: (token: string) => string): Place["plant"] =>
  (token) => ({ headers: { Origin: "https://app.example.com" }, target: write(token) });
const inProtocols = (write: (token: string) => string): Place["plant"] =>
  inHeader("Sec-WebSocket-Protocol", write);

const places: readonly Place[] = [
  { place: "Authorization", isRead: true, plant: inHeader("Authorization", (t) => `Bearer ${t}`) },
  { place: "a cookie", isRead: true, plant: inHeader("Cookie", (t) => `a=b; session=${t}; c=d`) },
  ...[
    ["beside bearer", (t: string) => `bearer, ${t}, chat`],
    [
      "of Kubernetes",
      (t: string) => `base64url.bearer.authorization.k8s.io.${inBase64url(t)}, chat`,
    ],
    ["of Phoenix", (t: string) => `phoenix, base64url.bearer.phx.${inBase64url(t)}`],
    ["of Jupyter", (t: string) => `v1.token.websocket.jupyter.org.${encodeURIComponent(t)}, chat`],
  ].map(([name, write]) => ({
    place: `a subprotocol ${name as string}`,
    isRead: true,
    isWithheld: true,
    plant: inProtocols(write as (token: string) => string),
  })),
  ...[
    ["plain", (t: string) => `/chat?access_token=${t}`],
    ["among others", (t: string) => `/chat?room=7&access_token=${t}&lang=en`],
    ["with every letter escaped", (t: string) => `/chat?access_token=${everyLetterEscaped(t)}`],
    ["with its name escaped", (t: string) => `/chat?%61ccess_token=${t}`],
  ].map(([name, write]) => ({
    place: `the query, ${name as string}`,
    isRead: true,
    isWithheld: true,
    plant: inTarget(write as (token: string) => string),
  })),
  { place: "another parameter", isRead: false, plant: inTarget((t) => `/chat?jwt=${t}`) },
  { place: "the path", isRead: false, isPath: true, plant: inTarget((t) => `/chat/${t}/x`) },
  {
    place: "a path that is cut within the token",
    isRead: false,
    isPath: true,
    plant: inTarget((t) => `/${"a".repeat(150)}/${t}`),
  },
  { place: "Origin", isRead: false, plant: inHeader("Origin", (t) => `https://${t}`) },
  { place: "Host", isRead: false, plant: inHeader("Host") },
  { place: "X-Forwarded-For", isRead: false, plant: inHeader("X-Forwarded-For") },
  { place: "Forwarded", isRead: false, plant: inHeader("Forwarded", (t) => `for="${t}"`) },
  { place: "an unknown header", isRead: false, plant: inHeader("X-Api-Key") },
  { place: "another scheme", isRead: false, plant: inHeader("Authorization", (t) => `Token ${t}`) },
  { place: "another cookie", isRead: false, plant: inHeader("Cookie", (t) => `jwt=${t}`) },
  {
    place: "a subprotocol that nothing marks",
    isRead: false,
    isEchoed: true,
    plant: inProtocols((t) => t),
  },
  { place: "the version", isRead: false, plant: inHeader("Sec-WebSocket-Version") },
  { place: "the key", isRead: false, plant: inHeader("Sec-WebSocket-Key") },
  {
    place: "the name of a header",
    isRead: false,
    plant: (t) => ({ headers: { [`X-${t.replace(/[^\w.-]/g, "")}`]: "1" } }),
  },
];

interface Outcome {
  readonly outcome: string;
  readonly token: string;
  /** Of handshakes whose token is read. */
  readonly statuses: readonly number[];
  readonly behind?: (token: string) => Check;
  readonly isReport?: boolean;
  readonly beside?: string;
  readonly leaves?: boolean;
}

const stuck = (): Check => () => new Promise<never>(() => undefined);
const throwing =
  (token: string): Check =>
  () => {
    throw new Error(`cannot ask about ${token}`);
  };
const rejecting =
  (token: string): Check =>
  async (handshake) =>
    throwing(token)(handshake);
const forgetful = (token: string): Check => (() => token) as unknown as Check;

const outcomes: readonly Outcome[] = [
  { outcome: "accepted", token: good, statuses: [101] },
  { outcome: "expired", token: expired, statuses: [401] },
  { outcome: "forged", token: mistaken, statuses: [401] },
  { outcome: "malformed", token: malformed, statuses: [400, 401] },
  { outcome: "one of two", token: good, beside: second, statuses: [400] },
  { outcome: "in an error that a check throws", token: good, behind: throwing, statuses: [500] },
  { outcome: "in what a check rejects with", token: good, behind: rejecting, statuses: [500] },
  { outcome: "what a check answers with", token: good, behind: forgetful, statuses: [500] },
  { outcome: "forged, in report mode", token: mistaken, isReport: true, statuses: [101] },
  {
    outcome: "one of two, in report mode",
    token: good,
    beside: second,
    isReport: true,
    statuses: [101],
  },
  { outcome: "of a decision that takes too long", token: good, behind: stuck, statuses: [503] },
  { outcome: "of a client that resets", token: good, behind: stuck, leaves: true, statuses: [] },
];

/** As the README of @firmshake/fastify has it. */
const reqWithoutQuery = ({ method, url }: { method: string; url: string }) => ({
  method,
  url: url.replace(/\?.*/, ""),
});

/** What the process says, by any way, until the test is over. */
function captureOutput(): readonly string[] {
  const said: string[] = [];
  const note = (...all: unknown[]): boolean => {
    said.push(all.map((one) => (typeof one === "string" ? one : inspect(one))).join(" "));
    return true;
  };
  const warned = (warning: Error): void => void note(warning);
  const restore = [process.stdout, process.stderr].map((stream) => {
    const { write } = stream;
    stream.write = note as typeof write;
    return () => {
      stream.write = write;
    };
  });
  const own = { ...console };
  Object.assign(console, { log: note, info: note, warn: note, error: note, debug: note });
  process.on("warning", warned);
  onTestFinished(() => {
    for (const undo of restore) undo();
    Object.assign(console, own);
    process.off("warning", warned);
  });
  return said;
}

const viewOf = ({ url, headers, rawHeaders, headersDistinct }: IncomingMessage): string =>
  JSON.stringify([url, headers, rawHeaders, headersDistinct]);

/** Every secret that a text holds. */
const leaksIn = (text: string, tokens: readonly string[]): readonly string[] =>
  [...tokens.flatMap(needlesOf), privateNote].filter((needle) => text.includes(needle));

const withBeside = (sketch: RawHandshake, beside: string | undefined): RawHandshake => {
  const { target = "/chat" } = sketch;
  if (beside === undefined) return sketch;
  return {
    ...sketch,
    target: `${target}${target.includes("?") ? "&" : "?"}access_token=${beside}`,
  };
};

const logged: string[] = [];
const withLogger = ofFastify({
  logger: {
    level: "trace",
    stream: { write: (line: string) => void logged.push(line) },
    serializers: { req: reqWithoutQuery },
  },
});

describe.each([...frameworks.slice(0, -1), withLogger])("$name", ({ serve }) => {
  it.each(outcomes)("says nothing of a token that is $outcome", async (outcome) => {
    const { token, beside, behind, isReport = false, leaves = false, statuses } = outcome;
    const tokens = beside === undefined ? [token] : [token, beside];
    const said = captureOutput();
    const thrown = captureThrown();
    const events: DecisionEvent[] = [];
    const entered: (() => void)[] = [];
    const checks: AnyCheck[] = [
      origin(["https://app.example.com"]),
      jwt({
        issuer,
        audience,
        keys: secret,
        from: [
          bearerToken(),
          subprotocolToken(),
          queryToken("access_token"),
          cookieToken("session"),
        ],
      }),
      (handshake) => {
        entered.shift()?.();
        return behind === undefined ? allow : behind(token)(handshake);
      },
    ];
    const server = await serve({
      guards: { [everywhere]: { checks, mode: isReport ? "report" : "enforce" } },
      options: {
        trustProxy: ["127.0.0.0/8"],
        decisionTimeoutMs: behind === stuck && !leaves ? 20 : 5_000,
        onDecision: (event) => void events.push(event),
      },
    });
    const views: string[] = [];
    const wss = new WebSocketServer({ server });
    wss.on("connection", (socket, request) => {
      views.push(viewOf(request));
      socket.on("error", () => undefined);
    });
    const port = await listen(server);

    for (const { place, isRead, isWithheld, isPath, isEchoed, plant } of places) {
      // Of a path only what looks like a JWT can be told from a word.
      if (isPath && token === malformed) continue;
      events.length = 0;
      views.length = 0;
      logged.length = 0;
      const isEntered = deferred<void>();
      entered.splice(0, entered.length, () => isEntered.resolve());
      const client = await dial(port);
      client.send(handshakeText(withBeside(plant(token), beside)));
      let answer = "";
      if (leaves && isRead) {
        await isEntered.promise;
        client.reset();
      } else {
        answer = await Promise.race([client.until("\r\n\r\n"), client.closed]);
        const status = Number(answer.split(" ")[1]);
        if (isRead) expect(statuses, place).toContain(status);
        // Node ends connections whose request it cannot parse before anybody is asked.
        if (status === 101) client.socket.destroy();
        else answer = await client.closed;
      }
      await expect.poll(() => events.length, { message: place, interval: 2 }).toBe(1);

      // An error of the application's own check is given on as it is.
      const isOwnError = behind === throwing || behind === rejecting;
      const told = events.map((event) => (isOwnError ? { ...event, cause: undefined } : event));
      const inEvents = JSON.stringify(told) + inspect(told, { depth: 20, showHidden: true });
      const isAccepted = answer.startsWith("HTTP/1.1 101");
      if (!isEchoed || !isAccepted)
        expect(leaksIn(answer, tokens), `${place}: the answer`).toEqual([]);
      expect(leaksIn(inEvents, tokens), `${place}: the event`).toEqual([]);
      expect(leaksIn(said.join("\n"), tokens), `${place}: what the process says`).toEqual([]);
      expect(views.length > 0, place).toBe(isAccepted);
      if (isWithheld) expect(leaksIn(views.join(), tokens), `${place}: the library`).toEqual([]);
      // Paths are what Fastify logs by itself.
      if (isPath) continue;
      expect(leaksIn(logged.join(""), tokens), `${place}: Fastify's log`).toEqual([]);
    }
    expect(thrown).toEqual([]);
  });
});

it("explain() says nothing of the keys", () => {
  const text = new TextDecoder().decode(secret);
  const spellings = [text, inBase64url(text), [...secret].join(",")];
  const explained = [secret, { kty: "oct", alg: "HS256", k: inBase64url(text) }].map((keys) =>
    guard(jwt({ issuer, audience, keys })).explain(),
  );
  for (const spelling of spellings) expect(explained.join()).not.toContain(spelling);
});

it("errors of the configuration say nothing of the keys", () => {
  const text = "a-secret-that-is-not-long-enough";
  const bytes = new TextEncoder().encode(text.slice(0, 20));
  const wrong: readonly unknown[] = [
    text,
    bytes,
    { kty: "oct", k: text.slice(0, 20), alg: "HS256" },
    { kty: "RSA", d: text, alg: "RS256" },
    { keys: [{ kty: "oct", k: text, alg: "HS256" }] },
    { keys: text },
    [text],
    { secret: text },
  ];
  for (const keys of wrong) {
    try {
      jwt({ issuer, audience, keys: keys as Uint8Array });
      expect.unreachable("the keys are wrong");
    } catch (error) {
      const said = inspect(error, { depth: 20, showHidden: true });
      expect(said).toContain("ERR_FIRMSHAKE_");
      expect(said).not.toContain(text.slice(0, 20));
      expect(said).not.toContain([...bytes].join(", "));
    }
  }
});
