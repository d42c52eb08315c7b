import {
  firmshake,
  insecureAnyOrigin,
  jwt,
  queryToken,
  refuse,
  subprotocolToken,
} from "@firmshake/fastify";
import type { FastifyRequest } from "fastify";
import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { connectionsOf, openWebSocket } from "../support/server.ts";
import { libraries, route, served } from "./apps.ts";

const keys = new TextEncoder().encode("a secret of thirty-two bytes.....");
const settings = { issuer: "https://id.example.com", audience: "chat", keys };
const token = await new SignJWT()
  .setProtectedHeader({ alg: "HS256" })
  .setSubject("ada")
  .setIssuer(settings.issuer)
  .setAudience(settings.audience)
  .setExpirationTime("1h")
  .sign(keys);

const fromQuery = [insecureAnyOrigin(), jwt({ ...settings, from: [queryToken("token")] })];
const fromProtocol = [insecureAnyOrigin(), jwt({ ...settings, from: [subprotocolToken()] })];
const onlyPaths = {
  serializers: {
    req: ({ method, url = "" }: { method: string; url?: string }) => ({
      method,
      url: url.split("?")[0],
    }),
  },
};

/** Everything that a handler can see of a request. */
const viewOf = ({ url, originalUrl, query, headers, raw }: FastifyRequest): string =>
  JSON.stringify([url, originalUrl, query, headers, raw.url, raw.rawHeaders, raw.headersDistinct]);

describe("what a handler of @fastify/websocket sees", () => {
  it.each([
    { name: "as it is", isAsked: false },
    { name: "where a hook has asked for originalUrl before", isAsked: true },
  ])("of a token in the query: nothing, $name", async ({ isAsked }) => {
    const views: string[] = [];
    const { shake } = await served("@fastify/websocket", async (app) => {
      app.addHook("onRequest", async (request) => {
        if (isAsked) expect(request.originalUrl).toContain(token);
      });
      await app.register(firmshake, { checks: fromQuery });
      app.get("/chat", { websocket: true }, (_socket, request) => {
        views.push(viewOf(request), request.firmshake?.identity?.subject ?? "nobody");
        expect(request.query).toEqual({ room: "7" });
        expect([request.url, request.originalUrl]).toEqual(["/chat?room=7", "/chat?room=7"]);
      });
    });
    expect((await shake({ target: `/chat?token=${token}&room=7` })).status).toBe(101);
    expect(views[1]).toBe("ada");
    expect(views[0]).not.toContain(token);
  });

  it("of a token in the query, behind the application's rewriteUrl: nothing", async () => {
    const views: string[] = [];
    const { shake } = await served(
      "@fastify/websocket",
      async (app) => {
        await app.register(firmshake, { checks: fromQuery });
        app.get("/chat", { websocket: true }, (_socket, request) => {
          views.push(viewOf(request));
        });
      },
      { rewriteUrl: ({ url = "" }) => url.replace("/old", "/chat") },
    );
    expect((await shake({ target: `/old?token=${token}&room=7` })).status).toBe(101);
    expect(views.join()).not.toContain(token);
  });

  it("of a token among the subprotocols: nothing, and the client is answered another", async () => {
    const views: string[] = [];
    const { port } = await served("@fastify/websocket", async (app) => {
      await app.register(firmshake, { checks: fromProtocol });
      app.get("/chat", { websocket: true }, (_socket, request) => {
        views.push(viewOf(request));
      });
    });
    const socket = await openWebSocket(`ws://127.0.0.1:${port}/chat`, ["bearer", token]);
    expect(socket.protocol).toBe("bearer");
    await expect.poll(() => views.length).toBe(1);
    expect(views.join()).not.toContain(token);
    socket.terminate();
  });
});

describe.each(libraries)("$library: what Fastify's logger prints", ({ library }) => {
  const build = async (app: Parameters<Parameters<typeof served>[1]>[0]): Promise<void> => {
    await app.register(firmshake, { checks: fromProtocol });
    route(app, "/chat");
    route(app, "/no", { checks: [() => refuse("forbidden", undefined, { reason: "not today" })] });
  };
  const headers = { "Sec-WebSocket-Protocol": `bearer, ${token}` };

  it("of a refusal: its code and reason, and that the request is completed", async () => {
    const { shake, lines, app } = await served(library, build);
    expect((await shake({ target: "/no", headers })).status).toBe(403);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    await expect.poll(() => lines.map(({ msg }) => msg)).toContain("request completed");
    expect(lines.filter(({ reqId }) => reqId !== undefined)).toMatchObject([
      { msg: "incoming request", req: { url: "/no" } },
      { msg: "handshake refused", code: "forbidden", status: 403, reason: "not today" },
      { msg: "request completed", res: { statusCode: 403 } },
    ]);
    expect(JSON.stringify(lines)).not.toContain(token);
  });

  it("of an acceptance: no secret", async () => {
    const { shake, lines, app } = await served(library, build);
    expect((await shake({ headers })).status).toBe(101);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect(lines.map(({ msg }) => msg)).toContain("incoming request");
    expect(JSON.stringify(lines)).not.toContain(token);
  });

  it("of a token in the query: the URL, before any hook; a serializer keeps it out", async () => {
    const printed = async (logger: object): Promise<string> => {
      const lines: string[] = [];
      const stream = { write: (line: string) => void lines.push(line) };
      const { shake, app } = await served(
        library,
        async (instance) => {
          await instance.register(firmshake, { checks: fromQuery });
          route(instance, "/chat");
        },
        { logger: { ...logger, stream } },
      );
      expect((await shake({ target: `/chat?token=${token}` })).status).toBe(101);
      expect((await shake({ target: `/chat?token=x${token}` })).status).toBe(401);
      await expect.poll(() => connectionsOf(app.server)).toBe(0);
      return lines.join("");
    };
    expect(await printed({})).toContain(token);
    expect(await printed(onlyPaths)).not.toContain(token);
  });

  it("where request logging is off: only refusals", async () => {
    const { shake, lines, app } = await served(library, build, { disableRequestLogging: true });
    expect((await shake({ headers })).status).toBe(101);
    expect((await shake({ target: "/no", headers })).status).toBe(403);
    await expect.poll(() => connectionsOf(app.server)).toBe(0);
    expect(lines.filter(({ reqId }) => reqId !== undefined)).toMatchObject([
      { msg: "handshake refused" },
    ]);
  });

  it("is found by the client's own request id, where Fastify is told to take it", async () => {
    const { shake, lines } = await served(library, build, { requestIdHeader: "x-request-id" });
    await shake({ target: "/no", headers: { ...headers, "X-Request-Id": "mine" } });
    expect(lines.find(({ msg }) => msg === "handshake refused")?.reqId).toBe("mine");
  });
});
