import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import { type AuditOptions, type CheckId, checkIds, type Severity } from "@firmshake/audit";
import { guard, host, origin, rateLimit } from "@firmshake/node";
import { decodeJwt, exportSPKI, generateKeyPair, jwtVerify, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { WebSocketServer as OldServer } from "ws-8.16";
import { makeAuthority, makeCertificate } from "../support/certificate.ts";
import { secureOfferingServer } from "../support/http2.ts";
import { gatedWs, listen } from "../support/server.ts";
import { apart } from "../support/test-scope.ts";
import { findingOf } from "./findings.ts";
import {
  appOrigin,
  isOwn,
  pongTo,
  type Rule,
  serveCarelessly,
  serveTcp,
  serveWs,
  switchProtocols,
} from "./weak-servers.ts";

interface Row {
  readonly id: CheckId;
  readonly name: string;
  readonly serve: () => Promise<string>;
  readonly options?: AuditOptions;
  readonly severity?: Severity;
}

const ofApp: AuditOptions = { origin: appOrigin };
const ruled = (rule: Rule) => () => serveWs({ rule });
const textOf = (request: IncomingMessage): string => request.headers.origin ?? "";
const gated = async (): Promise<string> => {
  const { port } = await gatedWs(guard(origin([appOrigin]), host(["127.0.0.1"])));
  return `ws://127.0.0.1:${port}/chat`;
};
const cookie = { Cookie: "session=Rk9vQmFyQmF6UXV4" };
const isUser: Rule = ({ headers }) => headers.cookie === cookie.Cookie || 401;

const secret = new TextEncoder().encode("a secret of thirty-two bytes, no less");
const made = new SignJWT({ sub: "alice" }).setProtectedHeader({ alg: "HS256", typ: "JWT" });
const expiry = (seconds: number): Promise<string> =>
  made.setExpirationTime(Math.floor(Date.now() / 1_000) + seconds).sign(secret);
const tokenOf = ({ headers }: IncomingMessage): string =>
  (headers.authorization ?? "").replace("Bearer ", "");
const isVerified: Rule = (request) =>
  jwtVerify(tokenOf(request), secret, { requiredClaims: ["exp"] }).then(() => true);
const bearer = (token: string): AuditOptions => ({ headers: { Authorization: `Bearer ${token}` } });
const token = await expiry(3_600);
const expired = await expiry(-60);

const authority = await makeAuthority();
const tls = await authority.issue({
  names: [{ type: 2, value: "localhost" }],
});
const selfSigned = await makeCertificate();

/** Whatever a server of bare Node makes of an upgrade. */
const serveBare = async (
  onUpgrade: (request: IncomingMessage, socket: Duplex) => void,
): Promise<string> => {
  const server = createServer();
  server.on("upgrade", (request, socket) => {
    socket.on("error", () => undefined);
    onUpgrade(request, socket);
  });
  return `ws://127.0.0.1:${await listen(server)}/chat`;
};
const refusing = (socket: Duplex): void => {
  socket.end("HTTP/1.1 403 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
};

/** A ticket office whose tickets are taken at once, or only after a moment. */
function tickets(takeAfterMs?: number): {
  readonly rule: Rule;
  readonly ticket: () => Promise<string>;
} {
  const valid = new Set<string>();
  let count = 0;
  return {
    ticket: async () => {
      const ticket = `ticket-${count++}-${Math.random()}`;
      valid.add(ticket);
      return ticket;
    },
    rule: async ({ url = "" }) => {
      const ticket = new URL(url, "http://localhost").searchParams.get("ticket") ?? "";
      if (takeAfterMs === undefined) return valid.delete(ticket);
      const isValid = valid.has(ticket);
      await new Promise((resolve) => setTimeout(resolve, takeAfterMs));
      valid.delete(ticket);
      return isValid;
    },
  };
}
const hurried = tickets(30);
const sober = tickets();

/** A server that knows sessions, and what of one is left after its logout. */
function session(isLasting: {
  readonly socket: boolean;
  readonly credential: boolean;
  readonly spelling: boolean;
}): Pick<Row, "serve" | "options"> {
  let isLoggedIn = true;
  const sockets = new Set<{ close: (code: number) => void }>();
  return {
    serve: () =>
      serveWs({
        rule: (request) => {
          const isSame = tokenOf(request) === token;
          const isRight = tokenOf(request).replace(/=+$/, "") === token;
          return isRight && (isLoggedIn || (isSame ? isLasting.credential : isLasting.spelling));
        },
        onSocket: (socket) => sockets.add(socket),
      }),
    options: {
      ...bearer(token),
      logout: async () => {
        isLoggedIn = false;
        if (!isLasting.socket) for (const socket of sockets) socket.close(4001);
      },
    },
  };
}
const unending = { socket: true, credential: true, spelling: true };
const halfEnding = { socket: false, credential: false, spelling: true };
const ending = { socket: false, credential: false, spelling: false };

const limited = (keyOf: (request: IncomingMessage) => string) => (): Promise<string> => {
  const counts = new Map<string, number>();
  return serveWs({
    rule: (request) => {
      const count = (counts.get(keyOf(request)) ?? 0) + 1;
      counts.set(keyOf(request), count);
      return count <= 20 || 429;
    },
  });
};
const peer = ({ socket }: IncomingMessage): string => socket.remoteAddress ?? "";
const forwarded = (request: IncomingMessage): string =>
  String(request.headers["x-forwarded-for"] ?? peer(request));

const secure = async (
  certificate: { readonly key: string; readonly cert: string },
  hostname = "localhost",
): Promise<string> => {
  const url = new URL(await serveWs({ server: createTlsServer(certificate) as never }));
  return `wss://${hostname}:${url.port}/chat`;
};

/** Takes so many connections at a time. */
function serveCounted(limit: number, status: number, mayShakeHands = () => true): Promise<string> {
  let open = 0;
  return serveWs({
    rule: () => (mayShakeHands() && open < limit) || status,
    onSocket: (socket) => {
      open++;
      socket.once("close", () => open--);
    },
  });
}

const weak: readonly Row[] = [
  {
    id: "WS-ORIGIN-1",
    name: "lets in everybody",
    serve: ruled(() => true),
    options: ofApp,
    severity: "critical",
  },
  {
    id: "WS-ORIGIN-1",
    name: "asks for a cookie alone",
    serve: ruled(isUser),
    options: { ...ofApp, headers: cookie },
    severity: "critical",
  },
  {
    id: "WS-ORIGIN-2",
    name: "lets in null",
    serve: ruled((request) => isOwn(request) === true || textOf(request) === "null"),
    options: ofApp,
    severity: "high",
  },
  {
    id: "WS-ORIGIN-3",
    name: "lets in who has none",
    serve: ruled((request) => isOwn(request) === true || textOf(request) === ""),
    options: ofApp,
    severity: "info",
  },
  {
    id: "WS-ORIGIN-3",
    name: "lets in who has none, by a cookie",
    serve: ruled(
      (request) => isUser(request) === true && (isOwn(request) === true || textOf(request) === ""),
    ),
    options: { ...ofApp, headers: cookie },
    severity: "medium",
  },
  {
    id: "WS-ORIGIN-4",
    name: "excepts addresses",
    serve: ruled(
      (request) => isOwn(request) === true || /^https?:\/\/[\d.]+$/.test(textOf(request)),
    ),
    options: ofApp,
    severity: "high",
  },
  {
    id: "WS-ORIGIN-5",
    name: "compares the name alone",
    serve: ruled(
      (request) =>
        URL.canParse(textOf(request)) && new URL(textOf(request)).hostname === "app.example.com",
    ),
    options: ofApp,
    severity: "medium",
  },
  {
    id: "WS-ORIGIN-6",
    name: "lets in subdomains",
    serve: ruled((request) => textOf(request).endsWith(".example.com")),
    options: ofApp,
    severity: "medium",
  },
  {
    id: "WS-ORIGIN-7",
    name: "compares the beginning",
    serve: ruled((request) => textOf(request).startsWith(appOrigin)),
    options: ofApp,
    severity: "high",
  },
  {
    id: "WS-ORIGIN-7",
    name: "compares the end",
    serve: ruled((request) => textOf(request).endsWith("example.com")),
    options: ofApp,
  },
  {
    id: "WS-ORIGIN-7",
    name: "takes the dot for any letter",
    serve: ruled((request) => /^https:\/\/app.example.com$/.test(textOf(request))),
    options: ofApp,
  },
  {
    id: "WS-ORIGIN-7",
    name: "forgets about userinfo",
    serve: ruled(
      (request) => (textOf(request).split("//")[1] ?? "").split("@")[0] === "app.example.com",
    ),
    options: ofApp,
  },
  {
    id: "WS-ORIGIN-8",
    name: "takes one of several",
    serve: ruled((request) => textOf(request).split(", ").includes(appOrigin)),
    options: { ...ofApp, intrusive: true },
    severity: "low",
  },
  {
    id: "WS-ORIGIN-9",
    name: "forgets a named path",
    serve: ruled((request) => isOwn(request) === true || request.url === "/admin"),
    options: { ...ofApp, paths: ["/admin"] },
    severity: "critical",
  },
  {
    id: "WS-ORIGIN-9",
    name: "forgets a usual path",
    serve: ruled((request) => isOwn(request) === true || request.url === "/ws"),
    options: ofApp,
  },
  {
    id: "WS-ORIGIN-10",
    name: "closes after 101",
    serve: () =>
      serveWs({ onSocket: (socket, request) => isOwn(request) !== true && socket.close(1008) }),
    options: ofApp,
    severity: "low",
  },
  {
    id: "WS-ORIGIN-10",
    name: "speaks and then closes",
    serve: () =>
      serveWs({
        onSocket: (socket, request) => {
          socket.send("balance 12");
          if (isOwn(request) !== true) socket.close(1008);
        },
      }),
    options: ofApp,
    severity: "medium",
  },
  {
    id: "WS-HOST-1",
    name: "compares Origin with Host",
    serve: ruled((request) => textOf(request) === `http://${request.headers.host}`),
    severity: "high",
  },
  {
    id: "WS-HOST-2",
    name: "takes digits for an address",
    serve: ruled((request) => /^[\d.]+(?::\d+)?$/.test(request.headers.host ?? "")),
    options: { intrusive: true },
    severity: "medium",
  },
  { id: "WS-HOST-3", name: "looks at one Host", serve: ruled(() => true), severity: "low" },
  { id: "WS-HS-1", name: "asks for nothing", serve: serveCarelessly, severity: "low" },
  { id: "WS-HS-2", name: "asks for nothing", serve: serveCarelessly, severity: "low" },
  {
    id: "WS-HS-4",
    name: "connects to where the target points",
    serve: () =>
      serveBare((request, socket) => {
        const { hostname, port } = new URL(request.url ?? "", "http://127.0.0.1:1");
        if (port === "1") return upgradeByHand(request, socket);
        connect(Number(port), hostname)
          .on("error", () => undefined)
          .end("GET / HTTP/1.1\r\n\r\n");
        refusing(socket);
      }),
    severity: "high",
  },
  { id: "WS-HS-5", name: "takes bodies", serve: ruled(() => true), severity: "medium" },
  {
    id: "WS-HS-6",
    name: "goes on after refusing",
    serve: () =>
      serveTcp((socket) => {
        socket.on("data", (data) => {
          const text = String(data);
          if (!text.startsWith("GET")) pongTo(data, socket);
          else if (text.includes(appOrigin)) switchProtocols(text, socket);
          else socket.write("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        });
      }),
    options: ofApp,
    severity: "medium",
  },
  {
    id: "WS-HS-8",
    name: "reads blanks in quadratic time",
    serve: ruled(({ headers }) => {
      for (let round = 0; round < 12; round++)
        String(headers["sec-websocket-protocol"]).split(/ *, */);
      return isOwn({ headers } as IncomingMessage);
    }),
    options: { ...ofApp, intrusive: true, limits: { answerMs: 5_000 } },
    severity: "medium",
  },
  {
    id: "WS-HS-9",
    name: "waits for ever",
    serve: async () => {
      const server = createServer({ headersTimeout: 0, requestTimeout: 0 });
      return serveWs({ server });
    },
    options: { waitMs: 400 },
    severity: "low",
  },
  {
    id: "WS-HS-10",
    name: "leaves the refused hanging",
    serve: ruled((request) => isOwn(request) === true || undefined),
    options: ofApp,
    severity: "medium",
  },
  {
    id: "WS-HS-11",
    name: "switches to whatever is asked for",
    serve: serveCarelessly,
    severity: "medium",
  },
  {
    id: "WS-HS-12",
    name: "lets in everybody over HTTP/2",
    serve: async () => {
      const server = await secureOfferingServer();
      server.on("stream", (stream, headers) => {
        stream.on("error", () => undefined);
        if (headers[":method"] === "CONNECT") stream.respond({ ":status": 200 });
      });
      const url = new URL(await serveWs({ server, rule: isOwn }));
      return `wss://localhost:${url.port}/chat`;
    },
    options: ofApp,
    severity: "high",
  },
  {
    id: "WS-TLS-2",
    name: "has a certificate of its own making",
    serve: () => secure(selfSigned),
    severity: "info",
  },
  {
    id: "WS-TLS-2",
    name: "has a certificate of another name",
    serve: () => secure(tls, "127.0.0.1"),
    options: { certificateAuthorities: authority.cert },
    severity: "medium",
  },
  {
    id: "WS-TLS-2",
    name: "has a certificate that expires soon",
    serve: async () =>
      secure(
        await authority.issue({
          names: [{ type: 2, value: "localhost" }],
          notAfter: new Date(Date.now() + 3 * 86_400_000),
        }),
      ),
    options: { certificateAuthorities: authority.cert },
    severity: "medium",
  },
  {
    id: "WS-TLS-2",
    name: "speaks TLS 1.1",
    serve: async () => {
      const url = new URL(
        await serveWs({
          server: createTlsServer({
            ...tls,
            minVersion: "TLSv1.1",
            ciphers: "DEFAULT:@SECLEVEL=0",
          }) as never,
        }),
      );
      return `wss://localhost:${url.port}/chat`;
    },
    options: { certificateAuthorities: authority.cert },
    severity: "medium",
  },
  {
    id: "WS-TLS-3",
    name: "believes X-Forwarded-Proto",
    serve: ruled(({ headers }) => headers["x-forwarded-proto"] === "https"),
    severity: "high",
  },
  {
    id: "WS-AUTH-1",
    name: "asks for no cookie",
    serve: ruled(() => true),
    options: { headers: cookie },
    severity: "high",
  },
  { id: "WS-AUTH-1", name: "is for everybody", serve: ruled(() => true), severity: "info" },
  {
    id: "WS-AUTH-2",
    name: "asks for any cookie",
    serve: ruled(({ headers }) => headers.cookie !== undefined),
    options: { headers: cookie },
    severity: "critical",
  },
  {
    id: "WS-AUTH-4",
    name: "agrees to the first subprotocol",
    serve: () => serveWs(),
    options: { protocols: ["bearer.dG9rZW5Ub2tlblRva2Vu"] },
    severity: "low",
  },
  {
    id: "WS-AUTH-5",
    name: "takes the ticket after a moment",
    serve: async () => `${await serveWs({ rule: hurried.rule })}?ticket={ticket}`,
    options: { ticket: hurried.ticket },
    severity: "high",
  },
  {
    id: "WS-AUTH-6",
    name: "waits for the first message for ever",
    serve: () => serveWs({ onSocket: () => undefined }),
    options: { opening: ["login: a secret"], waitMs: 300 },
    severity: "medium",
  },
  {
    id: "WS-JWT-1",
    name: "reads the claims alone",
    serve: ruled(
      (request) =>
        JSON.parse(Buffer.from(tokenOf(request).split(".")[1] ?? "", "base64url").toString())
          .sub === "alice",
    ),
    options: bearer(token),
    severity: "critical",
  },
  {
    id: "WS-JWT-1",
    name: "takes the algorithm from the token",
    serve: ruled(async (request) => {
      const [head = ""] = tokenOf(request).split(".");
      const { alg } = JSON.parse(Buffer.from(head, "base64url").toString());
      return alg === "none" || (await isVerified(request)) === true;
    }),
    options: bearer(token),
  },
  {
    id: "WS-JWT-3",
    name: "does not look at exp",
    serve: ruled((request) =>
      jwtVerify(tokenOf(request), secret, { currentDate: new Date(0) }).then(() => true),
    ),
    options: { ...bearer(token), expiredToken: expired },
    severity: "high",
  },
  {
    id: "WS-JWT-4",
    name: "asks for the key where jku points",
    serve: ruled(async (request) => {
      const [head = ""] = tokenOf(request).split(".");
      const { jku } = JSON.parse(Buffer.from(head, "base64url").toString());
      if (jku !== undefined) await fetch(jku);
      return isVerified(request) as Promise<boolean>;
    }),
    options: bearer(token),
    severity: "critical",
  },
  {
    id: "WS-JWT-5",
    name: "remembers the text of the token",
    ...session(halfEnding),
    severity: "medium",
  },
  {
    id: "WS-LIFE-1",
    name: "looks at exp once",
    serve: ruled(isVerified),
    options: { waitMs: 5_000 },
    severity: "high",
  },
  {
    id: "WS-LIFE-2",
    name: "goes on",
    ...session(unending),
    severity: "high",
  },
  {
    id: "WS-LIFE-3",
    name: "goes on",
    ...session(unending),
    severity: "high",
  },
  {
    id: "WS-LIFE-4",
    name: "waits for ever",
    serve: () => serveWs(),
    options: { waitMs: 300 },
    severity: "info",
  },
  { id: "WS-RATE-1", name: "has no limit", serve: () => serveWs(), severity: "medium" },
  { id: "WS-RATE-2", name: "has no limit", serve: () => serveWs(), severity: "medium" },
  {
    id: "WS-RATE-3",
    name: "has no limit",
    serve: () => serveWs(),
    options: { message: "hello" },
    severity: "low",
  },
  {
    id: "WS-PROXY-1",
    name: "counts by the leftmost address",
    serve: limited(forwarded),
    severity: "high",
  },
  {
    id: "WS-PROXY-2",
    name: "believes X-Forwarded-For",
    serve: ruled((request) => forwarded(request) === "10.0.0.1"),
    severity: "high",
  },
  {
    id: "WS-FRAME-1",
    name: "takes them",
    serve: serveCarelessly,
    options: { intrusive: true },
    severity: "medium",
  },
  {
    id: "WS-FRAME-2",
    name: "waits for 1 GiB",
    serve: serveCarelessly,
    options: { intrusive: true },
    severity: "medium",
  },
  {
    id: "WS-FRAME-4",
    name: "is ws 8.16.0",
    serve: async () => {
      const server = createServer();
      const wss = new OldServer({ server });
      wss.on("connection", (socket) => socket.on("error", () => undefined));
      return `ws://127.0.0.1:${await listen(server)}/`;
    },
    options: { intrusive: true },
    severity: "medium",
  },
  {
    id: "WS-FRAME-5",
    name: "is ws 8.16.0",
    serve: async () => {
      const server = createServer();
      const wss = new OldServer({ server });
      wss.on("connection", (socket) => socket.on("error", () => undefined));
      return `ws://127.0.0.1:${await listen(server)}/`;
    },
    options: { intrusive: true },
    severity: "low",
  },
  {
    id: "WS-FRAME-6",
    name: "inflates",
    serve: () => serveWs({ options: { perMessageDeflate: true } }),
    options: { intrusive: true },
    severity: "low",
  },
  {
    id: "WS-INFO-1",
    name: "shows the stack",
    serve: () =>
      serveWs({
        rule: isOwn,
        body: "Error: no\n    at check (/srv/app/node_modules/guard/index.js:12:3)",
      }),
    options: ofApp,
    severity: "low",
  },
  {
    id: "WS-INFO-1",
    name: "tells expired from false",
    serve: () =>
      serveWs({
        rule: (request) =>
          (isVerified(request) as Promise<boolean>).catch(() =>
            tokenOf(request) === expired ? 401 : 403,
          ),
        body: "no",
      }),
    options: { ...bearer(token), expiredToken: expired },
  },
  {
    id: "WS-INFO-2",
    name: "names its version",
    serve: () => serveWs({ rule: isOwn, lines: "Server: Apache/2.4.1\r\n" }),
    options: ofApp,
    severity: "info",
  },
  {
    id: "WS-INFO-3",
    name: "speaks first",
    serve: () => serveWs({ onSocket: (socket) => socket.send("balance 12") }),
    options: ofApp,
    severity: "high",
  },
];

const sound: readonly Row[] = [
  {
    id: "WS-FRAME-5",
    name: "cuts off who does not answer its pings, and closes after a flood of them",
    serve: () =>
      serveWs({
        onSocket: (socket) => {
          let isAlive = true;
          let pings = 0;
          socket.on("pong", () => {
            isAlive = true;
          });
          socket.on("ping", () => ++pings > 100 && socket.close(1008));
          const timer = setInterval(() => {
            if (!isAlive) socket.terminate();
            isAlive = false;
            socket.ping();
          }, 300);
          socket.once("close", () => clearInterval(timer));
        },
      }),
    options: { intrusive: true },
  },
  {
    id: "WS-INFO-1",
    name: "lets in what has expired, and refuses what is false",
    serve: ruled((request) => [token, expired].includes(tokenOf(request)) || 401),
    options: { ...bearer(token), expiredToken: expired },
  },
  {
    id: "WS-RATE-2",
    name: "says that there are too many as if they came too often",
    serve: () => serveCounted(12, 429),
  },
  {
    id: "WS-RATE-2",
    name: "has a limit on handshakes as well",
    serve: () => {
      let waitsUntil = 0;
      let count = 0;
      return serveCounted(12, 429, () => {
        if (Date.now() < waitsUntil) return false;
        if (++count !== 8) return true;
        waitsUntil = Date.now() + 900;
        return false;
      });
    },
  },
  ...(
    [
      "WS-ORIGIN-1",
      "WS-ORIGIN-2",
      "WS-ORIGIN-3",
      "WS-ORIGIN-4",
      "WS-ORIGIN-5",
      "WS-ORIGIN-6",
      "WS-ORIGIN-7",
      "WS-ORIGIN-8",
      "WS-ORIGIN-9",
      "WS-ORIGIN-10",
      "WS-INFO-3",
    ] as const
  ).map((id) => ({
    id,
    name: "compares with a list",
    serve: ruled(isOwn),
    options: { ...ofApp, intrusive: true },
  })),
  ...(
    [
      "WS-ORIGIN-1",
      "WS-ORIGIN-7",
      "WS-ORIGIN-8",
      "WS-HOST-1",
      "WS-HOST-2",
      "WS-HOST-3",
      "WS-HS-1",
      "WS-HS-2",
      "WS-HS-3",
      "WS-HS-4",
      "WS-HS-5",
      "WS-HS-6",
      "WS-HS-7",
      "WS-HS-10",
      "WS-HS-11",
      "WS-INFO-1",
      "WS-INFO-2",
      "WS-FRAME-1",
      "WS-FRAME-2",
      "WS-FRAME-3",
      "WS-FRAME-4",
      "WS-FRAME-5",
      "WS-FRAME-6",
    ] as const
  ).map((id) => ({
    id,
    name: "has a gate in front of ws",
    serve: gated,
    options: { ...ofApp, intrusive: true },
  })),
  {
    id: "WS-ORIGIN-1",
    name: "asks for a token in the query, whatever the origin",
    serve: async () =>
      `${await serveWs({ rule: ({ url }) => url?.includes("token=c2VjcmV0") ?? false })}?token=c2VjcmV0`,
  },
  { id: "WS-HS-8", name: "is ws", serve: () => serveWs(), options: { intrusive: true } },
  {
    id: "WS-HS-9",
    name: "gives up",
    serve: () =>
      serveTcp((socket) => {
        let isWhole = false;
        socket.on("data", (data) => {
          isWhole ||= String(data).includes("\r\n\r\n");
          if (String(data).includes("\r\n\r\n")) switchProtocols(String(data), socket);
          else if (data.readUInt8(0) === 0x89) pongTo(data, socket);
          setTimeout(() => !isWhole && socket.destroy(), 100);
        });
      }),
    options: { waitMs: 2_000 },
  },
  {
    id: "WS-HS-12",
    name: "has a gate in front",
    serve: async () => {
      const server = await secureOfferingServer();
      const { port } = await gatedWs(guard(origin([appOrigin])), {}, server);
      return `wss://localhost:${port}/chat`;
    },
    options: ofApp,
  },
  {
    id: "WS-TLS-1",
    name: "has nothing beside",
    serve: () => secure(tls),
    options: { plainPort: 1 },
  },
  {
    id: "WS-TLS-2",
    name: "has a certificate in order",
    serve: () => secure(tls),
    options: { certificateAuthorities: authority.cert },
  },
  { id: "WS-TLS-3", name: "believes nothing", serve: ruled(() => 403) },
  {
    id: "WS-AUTH-1",
    name: "asks for a cookie",
    serve: ruled(isUser),
    options: { headers: cookie },
  },
  { id: "WS-AUTH-2", name: "verifies it", serve: ruled(isUser), options: { headers: cookie } },
  {
    id: "WS-AUTH-3",
    name: "is given a header",
    serve: ruled(isUser),
    options: { headers: cookie },
  },
  {
    id: "WS-AUTH-4",
    name: "agrees to a fixed name",
    serve: () => serveWs({ options: { handleProtocols: () => "chat" } }),
    options: { protocols: ["chat", "bearer.dG9rZW5Ub2tlblRva2Vu"] },
  },
  {
    id: "WS-AUTH-5",
    name: "takes it at once",
    serve: async () => `${await serveWs({ rule: sober.rule })}?ticket={ticket}`,
    options: { ticket: sober.ticket },
  },
  {
    id: "WS-AUTH-6",
    name: "cuts off who is silent",
    serve: () =>
      serveWs({
        onSocket: (socket) => {
          const timer = setTimeout(() => socket.close(4401), 250);
          socket.once("message", () => clearTimeout(timer));
        },
      }),
    options: { opening: ["login: a secret"], waitMs: 2_000 },
  },
  ...(["WS-JWT-1", "WS-JWT-3", "WS-JWT-4"] as const).map((id) => ({
    id,
    name: "verifies with jose",
    serve: ruled(isVerified),
    options: { ...bearer(token), expiredToken: expired },
  })),
  {
    id: "WS-JWT-5",
    name: "forgets the session",
    ...session(ending),
  },
  {
    id: "WS-LIFE-1",
    name: "closes in time",
    serve: () =>
      serveWs({
        rule: isVerified,
        onSocket: (socket, request) => {
          const { exp = 0 } = decodeJwt(tokenOf(request));
          setTimeout(() => socket.close(3000), 1_000 * exp - Date.now());
        },
      }),
    options: { waitMs: 5_000 },
  },
  { id: "WS-LIFE-2", name: "closes", ...session(ending) },
  { id: "WS-LIFE-3", name: "refuses", ...session(ending) },
  {
    id: "WS-LIFE-4",
    name: "closes the idle",
    serve: () => serveWs({ onSocket: (socket) => setTimeout(() => socket.close(1001), 250) }),
    options: { waitMs: 2_000 },
  },
  { id: "WS-RATE-1", name: "has a limit", serve: limited(peer) },
  {
    id: "WS-RATE-1",
    name: "has a gate in front of ws, with a limit",
    serve: async () => {
      const { port } = await gatedWs(guard(rateLimit({ limit: 30, windowMs: 60_000 })));
      return `ws://127.0.0.1:${port}/`;
    },
  },
  {
    id: "WS-RATE-2",
    name: "has a limit",
    serve: () => {
      let open = 0;
      return serveWs({
        rule: () => open < 20 || 403,
        onSocket: (socket) => {
          open++;
          socket.once("close", () => open--);
        },
      });
    },
  },
  {
    id: "WS-RATE-3",
    name: "has a limit",
    serve: () =>
      serveWs({
        onSocket: (socket) => {
          let count = 0;
          socket.on("message", () => {
            if (++count > 50) socket.close(1008);
          });
        },
      }),
    options: { message: "hello" },
  },
  { id: "WS-PROXY-1", name: "counts by the peer", serve: limited(peer) },
  { id: "WS-PROXY-2", name: "looks at the peer", serve: ruled(() => 403) },
];

/** Tried against a child process that dies, in its own file. */
const elsewhere: readonly CheckId[] = ["WS-HS-3", "WS-HS-7", "WS-FRAME-3"];

describe.concurrent("a check finds what is weak", () => {
  it.for(weak.map((row) => [row.id, row.name, row] as const))(
    "%s: the server %s",
    apart(async ([id, _, { serve, options, severity }]) => {
      const url = await serve();
      const more = id === "WS-LIFE-1" ? bearer(await expiry(4)) : {};
      const finding = await findingOf(url, id, { ...options, ...more });
      expect(finding, finding.reason).toMatchObject({ verdict: "fail" });
      if (severity !== undefined) expect(finding.severity).toBe(severity);
      const isTold = finding.evidence.length > 0 && finding.remedy.text !== "";
      expect(isTold).toBe(true);
    }),
  );
});

// Between the two, so that what keeps a weak server busy does not slow a sound one.
it("each check is tried on a weak and on a sound server", () => {
  const of = (rows: readonly Row[]): readonly CheckId[] => rows.map(({ id }) => id);
  const missing = (known: readonly CheckId[]): readonly CheckId[] =>
    checkIds.filter((id) => !known.includes(id) && !elsewhere.includes(id));
  expect(missing([...of(weak), ...tried.weak])).toEqual([]);
  expect(missing([...of(sound), ...tried.sound])).toEqual([]);
});

describe.concurrent("a check passes what is not", () => {
  it.for(sound.map((row) => [row.id, row.name, row] as const))(
    "%s: the server %s",
    apart(async ([id, _, { serve, options }]) => {
      const url = await serve();
      const more = id === "WS-LIFE-1" ? bearer(await expiry(4)) : {};
      const finding = await findingOf(url, id, { ...options, ...more });
      expect(finding, finding.reason).toMatchObject({ verdict: "pass" });
    }),
  );
});

/** Those that need more than a row says. */
const tried: { readonly weak: readonly CheckId[]; readonly sound: readonly CheckId[] } = {
  weak: ["WS-TLS-1", "WS-AUTH-3", "WS-JWT-2"],
  sound: ["WS-JWT-2"],
};

describe("a check finds what is weak in more than one place", () => {
  it("WS-TLS-1: plain ws at another port", async () => {
    const plain = new URL(await serveWs());
    const finding = await findingOf(await secure(tls), "WS-TLS-1", {
      plainPort: Number(plain.port),
    });
    expect(finding).toMatchObject({ verdict: "fail", severity: "medium" });
  });

  it("WS-AUTH-3: a token in the query", async () => {
    const finding = await findingOf(`${await serveWs()}?access_token=c2VjcmV0`, "WS-AUTH-3");
    expect(finding).toMatchObject({ verdict: "fail", severity: "low" });
    expect(JSON.stringify(finding)).not.toContain("c2VjcmV0");
  });
});

describe("WS-JWT-2", async () => {
  const { publicKey, privateKey } = await generateKeyPair("RS256", { extractable: true });
  const pem = await exportSPKI(publicKey);
  const signed = await new SignJWT({ sub: "alice" })
    .setProtectedHeader({ alg: "RS256" })
    .setExpirationTime("1h")
    .sign(privateKey);
  const options = { ...bearer(signed), publicKey: pem };

  it("finds a server that takes the public key for a secret", async () => {
    const url = await serveWs({
      rule: (request) => {
        const isHmac = atob(tokenOf(request).split(".")[0] ?? "").includes("HS256");
        const key = isHmac ? new TextEncoder().encode(pem) : publicKey;
        return jwtVerify(tokenOf(request), key).then(() => true);
      },
    });
    const finding = await findingOf(url, "WS-JWT-2", options);
    expect(finding).toMatchObject({ verdict: "fail", severity: "critical" });
    expect(JSON.stringify(finding)).not.toContain(signed);
  });

  it("passes one whose keys have types", async () => {
    const url = await serveWs({
      rule: (request) => jwtVerify(tokenOf(request), publicKey).then(() => true),
    });
    expect(await findingOf(url, "WS-JWT-2", options)).toMatchObject({ verdict: "pass" });
  });
});

function upgradeByHand(request: IncomingMessage, socket: Duplex): void {
  switchProtocols(`sec-websocket-key: ${request.headers["sec-websocket-key"]}\r\n`, socket);
  socket.on("data", (data: Buffer) => data.readUInt8(0) === 0x89 && pongTo(data, socket));
}
