import {
  address,
  allow,
  allowWith,
  answerOf,
  type DecisionEvent,
  host,
  insecureAnyOrigin,
  jwt,
  origin,
  type RefuseOption,
  rateLimit,
  refuse,
  secure,
  subprotocol,
} from "@firmshake/node";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import {
  answerIn,
  dial,
  handshakeText,
  type RawHandshake,
  textFrame,
} from "../support/raw-client.ts";
import { deferred, listen } from "../support/server.ts";
import { captureThrown } from "../support/thrown.ts";
import { type Application, type Framework, frameworks, speakOn } from "./frameworks.ts";

const site = "https://app.example.com";
const secret = new TextEncoder().encode("a secret of at least thirty-two bytes");
const now = Math.floor(Date.now() / 1_000);

const token = (claims: object = {}, key: Uint8Array = secret): Promise<string> =>
  new SignJWT({ iss: "https://id.example.com", aud: "chat", sub: "ada", exp: now + 600, ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .sign(key);
const good = await token();
const expired = await token({ exp: now - 600 });
const forged = await token({}, new TextEncoder().encode("another secret, just as long as that"));

const tokens = { issuer: "https://id.example.com", audience: "chat", keys: secret };
const open = insecureAnyOrigin();

/** A new one for each server, since limits remember. */
const application = (): Application => ({
  guards: {
    "/chat": { checks: [origin([site]), jwt(tokens)] },
    "/open": { checks: [open] },
    "/room": { checks: [] },
    "/limited": { checks: [open, rateLimit({ limit: 1, windowMs: 3_600_000 })] },
    "/secure": { checks: [open, secure()] },
    "/named": { checks: [open, host(["app.example.com"])] },
    "/office": { checks: [open, address({ allow: ["10.0.0.0/8"] })] },
    "/spoken": { checks: [open, subprotocol(["chat.v2", "chat.v1"])] },
    "/facts": {
      checks: [open, () => allowWith({ room: "blue" }), async () => allowWith({ n: 7 })],
    },
    "/detail": { checks: [open, () => refuse("forbidden", "The room is full.")] },
    "/later": { checks: [open, async () => refuse("unauthorized")] },
    "/retry": {
      checks: [open, () => refuse("overloaded", undefined, { headers: [["Retry-After", "7"]] })],
    },
    "/throws": {
      checks: [
        open,
        () => {
          throw new Error("planted");
        },
      ],
    },
    "/rejects": { checks: [open, () => Promise.reject(new Error("planted"))] },
    "/nothing": { checks: [open, (() => undefined) as never] },
    "/hangs": { checks: [open, () => new Promise<never>(() => undefined)] },
    "/report": { checks: [origin([site]), jwt(tokens)], mode: "report" },
  },
  options: { decisionTimeoutMs: 1_000, trustProxy: ["192.0.2.0/24"], maxEarlyBytes: 1_024 },
});

interface Row {
  readonly name: string;
  /** What bare Node answers; the others answer the same, to the byte. */
  readonly status: number;
  readonly request: RawHandshake;
  /** Sent in the same packet. */
  readonly after?: string | Buffer;
}

const at = (target: string, headers: RawHandshake["headers"] = {}): RawHandshake => ({
  target,
  headers,
});
const bearer = (text: string) => ({ Authorization: `Bearer ${text}` });
const fromSite = { Origin: site };

const table: readonly Row[] = [
  { name: "an open path", status: 101, request: at("/open") },
  { name: "an open path with a query", status: 101, request: at("/open?room=blue&x=%C3%A9") },
  { name: "a path with no guard", status: 404, request: at("/elsewhere") },
  { name: "the root, with no guard", status: 404, request: at("/") },
  { name: "a guarded path in other letters", status: 404, request: at("/OPEN") },
  { name: "a guarded path with a slash behind it", status: 404, request: at("/open/") },
  { name: "below a guarded path", status: 404, request: at("/open/below") },
  { name: "an encoded letter", status: 400, request: at("/%6fpen") },
  { name: "two slashes", status: 400, request: at("//open") },
  { name: "a backslash", status: 400, request: at("/\\open") },
  { name: "dot segments", status: 400, request: at("/x/../open") },
  { name: "an absolute target", status: 400, request: at("http://localhost/open") },
  { name: "a fragment", status: 400, request: at("/open#x") },
  {
    name: "a token in Authorization",
    status: 101,
    request: at("/chat", { ...fromSite, ...bearer(good) }),
  },
  {
    name: "a token in the subprotocols, which the library never sees",
    status: 101,
    request: at("/chat", { ...fromSite, "Sec-WebSocket-Protocol": `bearer, ${good}, chat` }),
  },
  { name: "no token", status: 401, request: at("/chat", fromSite) },
  {
    name: "an expired token",
    status: 401,
    request: at("/chat", { ...fromSite, ...bearer(expired) }),
  },
  { name: "a forged token", status: 401, request: at("/chat", { ...fromSite, ...bearer(forged) }) },
  {
    name: "no token at all in it",
    status: 400,
    request: at("/chat", { ...fromSite, ...bearer("x y") }),
  },
  {
    name: "two tokens",
    status: 400,
    request: at("/chat", {
      ...fromSite,
      ...bearer(good),
      "Sec-WebSocket-Protocol": `bearer, ${good}`,
    }),
  },
  { name: "no origin", status: 403, request: at("/chat", bearer(good)) },
  { name: "another origin", status: 403, request: at("/chat", { Origin: "https://evil.example" }) },
  { name: "origin null", status: 403, request: at("/chat", { Origin: "null" }) },
  { name: "two origins", status: 400, request: at("/chat", { Origin: [site, site] }) },
  { name: "the same origin", status: 101, request: at("/room", { Origin: "http://localhost" }) },
  {
    name: "not the same origin",
    status: 403,
    request: at("/room", { Origin: "https://localhost" }),
  },
  { name: "not by TLS", status: 403, request: at("/secure") },
  {
    name: "TLS by the word of a stranger",
    status: 403,
    request: at("/secure", { "X-Forwarded-Proto": "https" }),
  },
  { name: "the right name", status: 101, request: at("/named", { Host: "app.example.com" }) },
  { name: "another name", status: 421, request: at("/named", { Host: "evil.example" }) },
  {
    name: "a foreign name on loopback",
    status: 421,
    request: at("/open", { Host: "evil.example" }),
  },
  { name: "not from the office", status: 403, request: at("/office") },
  {
    name: "from the office by its own word",
    status: 403,
    request: at("/office", { "X-Forwarded-For": "10.0.0.1" }),
  },
  {
    name: "a subprotocol that is spoken",
    status: 101,
    request: at("/spoken", { "Sec-WebSocket-Protocol": "soap, chat.v1" }),
  },
  {
    name: "a subprotocol that is not",
    status: 400,
    request: at("/spoken", { "Sec-WebSocket-Protocol": "soap" }),
  },
  { name: "facts of several checks", status: 101, request: at("/facts") },
  { name: "a refusal with a detail", status: 403, request: at("/detail") },
  { name: "a refusal that comes later", status: 401, request: at("/later") },
  { name: "a refusal with headers", status: 503, request: at("/retry") },
  { name: "a check that throws", status: 500, request: at("/throws") },
  { name: "a check that rejects", status: 500, request: at("/rejects") },
  { name: "a check that answers nothing", status: 500, request: at("/nothing") },
  { name: "a check that never answers", status: 503, request: at("/hangs") },
  {
    name: "report mode lets in",
    status: 101,
    request: at("/report", { Origin: "https://evil.example" }),
  },
  { name: "the first within the limit", status: 101, request: at("/limited") },
  { name: "the second beyond it", status: 429, request: at("/limited") },
  { name: "POST", status: 405, request: { ...at("/open"), method: "POST" } },
  { name: "HTTP/1.0", status: 400, request: { ...at("/open"), version: "HTTP/1.0" } },
  { name: "an older version", status: 426, request: at("/open", { "Sec-WebSocket-Version": "8" }) },
  { name: "no version", status: 426, request: at("/open", { "Sec-WebSocket-Version": undefined }) },
  { name: "a short key", status: 400, request: at("/open", { "Sec-WebSocket-Key": "c2hvcnQ=" }) },
  { name: "two hosts", status: 400, request: at("/open", { Host: ["localhost", "localhost"] }) },
  {
    name: "two protocols to upgrade to",
    status: 400,
    request: at("/open", { Upgrade: "h2c, websocket" }),
  },
  { name: "a body", status: 400, request: at("/open", { "Content-Length": "4" }), after: "body" },
  {
    name: "other letters",
    status: 101,
    request: at("/open", { Upgrade: "WebSocket", Connection: "keep-alive, Upgrade" }),
  },
  {
    name: "a frame in the same packet",
    status: 101,
    request: at("/open"),
    after: textFrame("early"),
  },
  {
    name: "a flood in the same packet",
    status: 400,
    request: at("/open"),
    after: Buffer.alloc(2_000),
  },
];

describe.each(frameworks)("$name", (framework) => {
  it("answers every row of the table as bare Node does, byte for byte", async () => {
    const [expected, answered] = await Promise.all([ofBareNode(), answersOf(framework)]);
    for (const [index, { name }] of table.entries()) {
      expect(answered.texts[index], name).toBe(expected.texts[index]);
    }
  });

  it("says the same of each of them to whoever records decisions", async () => {
    const [expected, answered] = await Promise.all([ofBareNode(), answersOf(framework)]);
    expect(answered.events).toEqual(expected.events);
  });

  it("answers alike where refusals are said by a close frame", async () => {
    const [expected, answered] = await Promise.all([
      answersOf(frameworks[0] as Framework, "close"),
      answersOf(framework, "close"),
    ]);
    expect(answered).toEqual(expected);
  });

  it("leaves nothing behind of a client that resets during a check", async () => {
    const thrown = captureThrown();
    const entered = deferred<void>();
    const aborted = deferred<void>();
    const events: DecisionEvent[] = [];
    const check = ({ signal }: { readonly signal: AbortSignal }) => {
      signal.addEventListener("abort", () => aborted.resolve());
      entered.resolve();
      return new Promise<never>(() => undefined);
    };
    const server = await framework.serve({
      guards: { "/chat": { checks: [open, check] } },
      options: { onDecision: (event) => void events.push(event) },
    });
    const sockets = speakOn(server);
    const client = await dial(await listen(server));
    client.send(handshakeText());
    await entered.promise;
    client.reset();
    await aborted.promise;
    await expect.poll(() => events).toMatchObject([{ outcome: "abandoned", code: "client_gone" }]);
    expect(sockets.clients.size).toBe(0);
    expect(thrown).toEqual([]);
  });

  it("hands over in the order of arrival what comes while a check decides", async () => {
    const entered = deferred<void>();
    const decided = deferred<typeof allow>();
    const check = () => {
      entered.resolve();
      return decided.promise;
    };
    const server = await framework.serve({ guards: { "/chat": { checks: [open, check] } } });
    speakOn(server);
    const client = await dial(await listen(server));
    client.send(Buffer.concat([Buffer.from(handshakeText()), textFrame("one")]));
    await entered.promise;
    client.send(textFrame("two"));
    decided.resolve(allow);
    await client.until("two");
    const text = client.received();
    expect(text.indexOf("one")).toBeGreaterThan(text.indexOf("101"));
    expect(text.indexOf("two")).toBeGreaterThan(text.indexOf("one"));
  });
});

describe("bare Node", () => {
  it("says each refusal of a valid handshake by a close frame, where it is told to", async () => {
    const { texts, events } = await answersOf(frameworks[0] as Framework, "close");
    const said = texts.map((text, index) => `${table[index]?.name}: ${answerIn(text).status}`);
    const closed = events.map((event) => (event as DecisionEvent).closeCode);
    expect(said).toEqual(
      table.map(({ name, status }, index) => {
        return `${name}: ${closed[index] === undefined ? status : 101}`;
      }),
    );
    const inHttp = table.filter(({ status }, at) => status !== 101 && closed[at] === undefined);
    expect(inHttp.map(({ name }) => name)).toEqual(malformed);
  });

  it("answers with the status of each row", async () => {
    const { texts } = await ofBareNode();
    const statuses = texts.map((text, index) => `${table[index]?.name}: ${answerIn(text).status}`);
    expect(statuses).toEqual(table.map(({ name, status }) => `${name}: ${status}`));
  });

  it("answers refusals with the problem document of their code", async () => {
    const { texts } = await ofBareNode();
    const index = table.findIndex(({ name }) => name === "another origin");
    expect(answerIn(texts[index] ?? "").body).toBe(answerOf(refuse("origin_denied")).body);
  });
});

/** The rows that are no opening handshake. */
const malformed = [
  "an encoded letter",
  "two slashes",
  "a backslash",
  "dot segments",
  "an absolute target",
  "a fragment",
  "two origins",
  "POST",
  "HTTP/1.0",
  "an older version",
  "no version",
  "a short key",
  "two hosts",
  "two protocols to upgrade to",
  "a body",
];

interface Answers {
  readonly texts: readonly string[];
  readonly events: readonly object[];
}

/** What the others are compared with. */
const ofBareNode = (): Promise<Answers> => answersOf(frameworks[0] as Framework);

async function answersOf(framework: Framework, refuse: RefuseOption = "http"): Promise<Answers> {
  const events: object[] = [];
  const { guards, options } = application();
  const onDecision = ({ elapsedMs: _, cause, ...event }: DecisionEvent): void =>
    void events.push({ ...event, cause: String(cause) });
  const server = await framework.serve({ guards, options: { ...options, refuse, onDecision } });
  speakOn(server);
  const port = await listen(server);
  const texts: string[] = [];
  for (const row of table) texts.push(await answerTo(port, row));
  return { texts, events };
}

/** The bytes up to the greeting or the end; what time it was is left out. */
async function answerTo(port: number, { request, after = "", status }: Row): Promise<string> {
  const client = await dial(port);
  client.send(Buffer.concat([Buffer.from(handshakeText(request), "latin1"), Buffer.from(after)]));
  const { closed } = client;
  const text = await (status === 101 ? Promise.race([client.until("]}"), closed]) : closed);
  client.socket.destroy();
  return text.replace(/^Date: .*$/m, "Date:");
}
