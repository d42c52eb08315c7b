import type { CheckId } from "../check-id.ts";
import type { RemedyExample } from "../report.ts";

/** The lines of code that mend what a check finds, without Firmshake where a library can do it by itself, and with it. */
export function examplesFor(id: CheckId): readonly RemedyExample[] {
  return [...(byLibrary[id] ?? []), ...gateExamples(gateFor(id))];
}

const own = (library: RemedyExample["library"], code: string): RemedyExample => ({
  library,
  isFirmshake: false,
  code,
});

const exactOrigin: readonly RemedyExample[] = [
  own(
    "ws",
    `const allowed = new Set(["https://app.example.com"]);
server.on("upgrade", (request, socket, head) => {
  if (!allowed.has(request.headers.origin ?? "")) {
    socket.end("HTTP/1.1 403 Forbidden\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n");
    return;
  }
  wss.handleUpgrade(request, socket, head, (client) => wss.emit("connection", client, request));
});`,
  ),
  own(
    "socket.io",
    `// cors.origin does not cover the websocket transport; allowRequest does.
const allowed = new Set(["https://app.example.com"]);
new Server(server, {
  allowRequest: ({ headers }, answer) => answer(null, allowed.has(headers.origin ?? "")),
});`,
  ),
];
const errorListener: readonly RemedyExample[] = [
  own("ws", `wss.on("connection", (socket) => socket.on("error", () => socket.terminate()));`),
  own("express", `app.ws("/chat", (socket) => socket.on("error", () => socket.terminate()));`),
];
const payloadLimit: readonly RemedyExample[] = [
  own("ws", "new WebSocketServer({ server, maxPayload: 64 * 1024 });"),
  own("socket.io", "new Server(server, { maxHttpBufferSize: 64 * 1024 });"),
  own("fastify", "await app.register(websocket, { options: { maxPayload: 64 * 1024 } });"),
];

const byLibrary: Partial<Record<CheckId, readonly RemedyExample[]>> = {
  "WS-ORIGIN-1": exactOrigin,
  "WS-ORIGIN-2": exactOrigin,
  "WS-ORIGIN-3": exactOrigin,
  "WS-ORIGIN-4": exactOrigin,
  "WS-ORIGIN-5": exactOrigin,
  "WS-ORIGIN-6": exactOrigin,
  "WS-ORIGIN-7": exactOrigin,
  "WS-ORIGIN-8": exactOrigin,
  "WS-ORIGIN-9": exactOrigin,
  "WS-ORIGIN-10": exactOrigin,
  "WS-HS-3": [
    own(
      "ws",
      `server.on("upgrade", (request, socket, head) => {
  socket.on("error", () => socket.destroy());
  try {
    check(request);
  } catch {
    socket.end("HTTP/1.1 400 Bad Request\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n");
    return;
  }
  wss.handleUpgrade(request, socket, head, (client) => wss.emit("connection", client, request));
});`,
    ),
  ],
  "WS-HS-9": [own("node", "createServer({ headersTimeout: 10_000, requestTimeout: 30_000 });")],
  "WS-HS-10": [
    own(
      "node",
      `socket.end("HTTP/1.1 403 Forbidden\\r\\nConnection: close\\r\\nContent-Length: 0\\r\\n\\r\\n");
setTimeout(() => socket.destroy(), 1_000).unref();`,
    ),
  ],
  "WS-TLS-2": [own("node", `createServer({ key, cert: fullChain, minVersion: "TLSv1.2" });`)],
  "WS-AUTH-4": [
    own(
      "ws",
      `new WebSocketServer({ server, handleProtocols: (offered) => (offered.has("chat") ? "chat" : false) });`,
    ),
  ],
  "WS-AUTH-5": [own("node", `const user = await redis.getDel(\`ticket:\${ticket}\`);`)],
  "WS-FRAME-2": payloadLimit,
  "WS-FRAME-3": errorListener,
  "WS-FRAME-6": [own("ws", "new WebSocketServer({ server, perMessageDeflate: false });")],
};

/** Which check of Firmshake mends it, as it is written. */
function gateFor(id: CheckId): string | undefined {
  const [, area = ""] = id.split("-");
  return byId[id] ?? byArea[area];
}

const handshakes = "rateLimit({ limit: 30, windowMs: 60_000 })";
const byId: Partial<Record<CheckId, string>> = {
  "WS-TLS-1": "secure()",
  "WS-TLS-3": "secure()",
  "WS-AUTH-4": "jwt({ issuer, audience, jwksUri, from: [subprotocolToken()] })",
  "WS-AUTH-5": "tickets({ store })",
  "WS-LIFE-1": "jwt({ issuer, audience, jwksUri }), lifetime({ maxAgeMs: 8 * 3_600_000 })",
  "WS-LIFE-4": "lifetime({ idleMs: 15 * 60_000, maxAgeMs: 8 * 3_600_000 })",
  "WS-RATE-1": handshakes,
  "WS-RATE-2": "maxConnections({ perAddress: 20 })",
  "WS-RATE-3": "limits({ messages: { limit: 30, windowMs: 10_000 } })",
  "WS-FRAME-2": "limits({ maxMessageBytes: 65_536 })",
  "WS-FRAME-4": "limits({ maxFragments: 128 })",
  "WS-FRAME-5": "limits({ controlFrames: { limit: 50, windowMs: 10_000 } })",
  "WS-FRAME-6": `limits({ compression: "off" })`,
};
const byArea: Readonly<Record<string, string>> = {
  ORIGIN: `origin(["https://app.example.com"])`,
  HOST: `host(["app.example.com"])`,
  HS: `origin(["https://app.example.com"])`,
  AUTH: "jwt({ issuer, audience, jwksUri })",
  JWT: "jwt({ issuer, audience, jwksUri })",
  PROXY: handshakes,
};

function gateExamples(check: string | undefined): readonly RemedyExample[] {
  if (check === undefined) return [];
  const made = (library: RemedyExample["library"], code: string): RemedyExample => ({
    library,
    isFirmshake: true,
    code,
  });
  return [
    made("node", `attach(server, { "/chat": guard(${check}) });`),
    made("express", `app.use("/chat", guard(${check}));\nattach(app.listen(8080), app);`),
    made("koa", `router.get("/chat", guard(${check}));\nattach(app.listen(8080), app);`),
    made("fastify", `await app.register(firmshake, { checks: [${check}] });`),
  ];
}
