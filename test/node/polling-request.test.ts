import { createServer } from "node:http";
import { parse as parseQuery } from "node:querystring";
import { parse as parseUrl } from "node:url";
import { attach, guard, insecureAnyOrigin } from "@firmshake/node";
import { asksForPolling } from "@firmshake/node/adapter";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { thrownBy } from "../support/handshakes.ts";
import { answerIn, dial, handshakeText } from "../support/raw-client.ts";
import { listen } from "../support/server.ts";

/** What Engine.IO 6 reads, and what its earlier releases read. */
function engineTransports(target: string): readonly unknown[] {
  const { query } = parseUrl(target);
  const legacy = parseQuery(query ?? "").transport;
  const url = URL.canParse(target, "https://socket.io")
    ? new URL(target, "https://socket.io")
    : undefined;
  return [Object.fromEntries(url?.searchParams ?? []).transport, legacy].flat();
}

describe("asksForPolling", () => {
  it.each([
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?transport=polling&EIO=4&t=abc",
    "/socket.io/?transport=%70olling",
    "/socket.io/?%74ransport=polling",
    "/socket.io/?%74%72%61%6e%73%70%6F%72%74=%70%6f%6c%6C%69%6e%67",
    "/socket.io/?transport=websocket&transport=polling",
    "/socket.io/?transport=polling&transport=websocket",
    "/socket.io/?transport=polling#fragment",
    "/socket.io/?&&transport=polling&",
    "/?a;transport=polling;b",
    "//socket.io/?transport=polling",
    "http://example.com/socket.io/?transport=polling",
    "/socket.io/??transport=polling",
    "/socket.io/#?transport=polling",
    "/socket.io/?transport=polling ",
    "/socket.io/?EIO=4&transport=polling\u00a0",
    "/socket.io/?\ttrans\tport=polling",
  ])("yes: %s", (target) => expect(asksForPolling(target)).toBe(true));

  it.each([
    "/",
    "/socket.io/",
    "/socket.io/transport=polling",
    "/socket.io/?",
    "/socket.io/?transport=websocket",
    "/socket.io/?transport=polling2",
    "/socket.io/?mytransport=polling",
    "/socket.io/?transport=Polling",
    "/socket.io/?transport[]=polling",
    "/socket.io/?transport=poll+ing",
    "/search?q=polling",
    "/search?q=100%25",
  ])("no: %s", (target) => expect(asksForPolling(target)).toBe(false));

  const letters = "transport=polling&;?#%+[]/\\.@: \t\n\u00a0\u00e9".split("");
  const spelled = (word: string): fc.Arbitrary<string> =>
    fc
      .tuple(
        ...word
          .split("")
          .map((letter) =>
            fc.constantFrom(letter, letter, escaped(letter), escaped(letter).toUpperCase()),
          ),
      )
      .map((parts) => parts.join(""));
  const escaped = (letter: string): string => `%${letter.charCodeAt(0).toString(16)}`;
  const noise = fc.string({ unit: fc.constantFrom(...letters), maxLength: 12 });
  const part = fc.oneof(
    fc.constant("&"),
    noise,
    fc
      .tuple(
        spelled("transport"),
        fc.constantFrom("=", "=", "%3d"),
        fc.oneof(spelled("polling"), noise),
      )
      .map((parts) => parts.join("")),
  );
  const target = fc
    .tuple(
      fc.constantFrom("/socket.io/?", "/?", "//x/?", "http://x/y?", "/a#?", "/a?b&"),
      fc.array(part, { maxLength: 6 }),
    )
    .map(([start, parts]) => start + parts.join(""));

  it("whatever Engine.IO takes for polling, in whatever spelling", () => {
    let taken = 0;
    fc.assert(
      fc.property(target, (text) => {
        if (!engineTransports(text).includes("polling")) return;
        taken++;
        expect(asksForPolling(text)).toBe(true);
      }),
      { numRuns: 30_000 },
    );
    expect(taken).toBeGreaterThan(1_000);
  });

  it("nothing in which the words do not stand", () => {
    fc.assert(
      fc.property(fc.webPath(), fc.webQueryParameters(), (path, query) => {
        const text = decodeURIComponent(query.replace(/%(?![\da-f]{2})/gi, "%25"));
        fc.pre(!text.includes("polling"));
        expect(asksForPolling(`${path}?${query}`)).toBe(false);
      }),
    );
  });

  it("takes no longer for a hostile query than for a long one", () => {
    const hostile = `/?${"transport=%70ollin&".repeat(800)}`;
    const start = performance.now();
    for (let count = 0; count < 100; count++) asksForPolling(hostile);
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe("the option polling", () => {
  /** Which requests reach the application without a decision; no guard stands in this policy's way but on /chat. */
  async function isHeld(
    polling: unknown,
    requestLine: string,
    headers: string = "",
  ): Promise<boolean> {
    const server = createServer((_request, response) => response.end("through"));
    attach(server, { "/chat": guard() }, { polling } as never);
    const raw = await dial(await listen(server));
    raw.send(`${requestLine} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${headers}\r\n`);
    const { body, status } = answerIn(await raw.closed);
    expect(status === 200).toBe(body === "through");
    return status !== 200;
  }
  const preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n";

  it.each<[polling: unknown, requestLine: string, headers: string, isHeld: boolean]>([
    [undefined, "GET /?transport=polling", "", true],
    ["auto", "GET /?transport=polling", "", true],
    ["auto", "POST /x?transport=polling&sid=abc", "Content-Length: 0\r\n", true],
    ["auto", "PUT /x?transport=polling", "", true],
    ["auto", "HEAD /x?transport=polling", "", true],
    ["auto", "GET http://localhost/x?transport=polling", "", true],
    ["auto", "GET /?transport=websocket", "", false],
    ["auto", "GET /echo/info", "", false],
    ["auto", "OPTIONS /x?transport=polling", preflight, false],
    ["auto", "OPTIONS /x?transport=polling", "", true],
    ["auto", "OPTIONS /x?transport=polling", "Origin: https://a.example\r\n", true],
    ["auto", "OPTIONS /x?transport=polling", `${preflight}Content-Length: 0\r\n`, false],
    ["auto", "OPTIONS /x?transport=polling", `${preflight}Transfer-Encoding: chunked\r\n`, true],
    ["auto", "OPTIONS /x?transport=polling", `${preflight}Upgrade: h2c\r\n`, true],
    [false, "GET /?transport=polling", "", false],
    [["/echo/*", "/one"], "GET /?transport=polling", "", true],
    [["/echo/*", "/one"], "GET /echo/info?t=1", "", true],
    [["/echo/*", "/one"], "POST /echo/000/abc/xhr", "Content-Length: 0\r\n", true],
    [["/echo/*", "/one"], "GET /one", "", true],
    [["/echo/*", "/one"], "GET /one/two", "", false],
    [["/echo/*", "/one"], "GET /echo", "", false],
    [["/echo/*", "/one"], "GET /echoes/x", "", false],
    [["/echo/*", "/one"], "GET /", "", false],
    [["/echo/*", "/one"], "GET /a%20b/echo/", "", false],
    [["/echo/*", "/one"], "GET /ECHO/info", "", true],
    [["/echo/*", "/one"], "GET /%65cho/info", "", true],
    [["/echo/*", "/one"], "GET //echo/info", "", true],
    [["/echo/*", "/one"], "GET //host/echo/info", "", true],
    [["/echo/*", "/one"], "GET /x/../echo/info", "", true],
    [["/echo/*", "/one"], "GET /x/%2e%2e/echo/info", "", true],
    [["/echo/*", "/one"], "GET /\\echo\\info", "", true],
    [["/echo/*", "/one"], "GET http://other.example/echo/info", "", true],
    [["/echo/*", "/one"], "OPTIONS /echo/000/abc/xhr_send", preflight, false],
  ])("%j: %s %j", async (polling, requestLine, headers, expected) => {
    expect(await isHeld(polling, requestLine, headers)).toBe(expected);
  });

  it.each([[true], ["never"], [[]], [[1]], [{}], [null]])("is not %j", (polling) => {
    const call = () => attach(createServer(), guard(), { polling } as never);
    expect(thrownBy(call)).toContain(
      `attach: "polling" must be "auto", false, or a non-empty list of paths, got `,
    );
  });

  it("names the path that could never match", () => {
    const call = () => attach(createServer(), guard(), { polling: ["/Echo/:id"] });
    expect(thrownBy(call)).toContain(`attach: "/Echo/:id" is not a path.`);
  });

  it.each(["h2c", "websocket2", "h2c, websocket"])(
    "as Upgrade: %s it reaches nobody either",
    async (upgrade) => {
      const server = createServer();
      let upgrades = 0;
      server.on("upgrade", (_request, socket) => {
        upgrades++;
        socket.destroy();
      });
      attach(server, { "/io/*": guard(insecureAnyOrigin()) });
      const raw = await dial(await listen(server));
      const target = "/io/?transport=polling&sid=abc";
      raw.send(handshakeText({ target, headers: { Upgrade: upgrade } }));
      expect(answerIn(await raw.closed).status).toBe(400);
      expect(upgrades).toBe(0);
    },
  );

  it("leaves upgrades alone", async () => {
    const server = createServer((_request, response) => response.end("through"));
    attach(server, { "/chat": guard() }, { polling: false });
    const raw = await dial(await listen(server));
    raw.send(handshakeText({ target: "/other?transport=polling" }));
    expect(answerIn(await raw.closed).status).toBe(404);
  });
});
