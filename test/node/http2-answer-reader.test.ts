import { once } from "node:events";
import { request as httpRequest, type IncomingMessage, maxHeaderSize } from "node:http";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerPart, AnswerReader } from "../../packages/node/src/http2/answer-reader.ts";

/** What an answer comes to, whatever the chunks. */
interface Read {
  readonly heads: readonly (readonly [number, readonly (readonly [string, string])[]])[];
  readonly body: string;
  readonly isOver: boolean;
  readonly error: string | undefined;
}

function readAll(chunks: readonly Buffer[], ends = true): Read {
  const reader = new AnswerReader();
  const parts: AnswerPart[] = [];
  let error: string | undefined;
  try {
    for (const chunk of chunks) parts.push(...reader.read(chunk));
    if (ends) parts.push(...reader.finish());
  } catch (thrown) {
    error = (thrown as Error).message;
  }
  const heads = parts.flatMap((part) =>
    part.kind === "head" ? [[part.head.status, part.head.fields] as const] : [],
  );
  const bytes = parts.flatMap((part) => (part.kind === "bytes" ? [part.bytes] : []));
  const ended = parts.filter(({ kind }) => kind === "end");
  expect(ended.length).toBeLessThanOrEqual(1);
  return {
    heads,
    body: Buffer.concat(bytes).toString("latin1"),
    isOver: ended.length === 1,
    error,
  };
}

const read = (text: string, ends = true): Read => readAll([Buffer.from(text, "latin1")], ends);

/** The bytes of a text, cut at random places. */
const cutUp = (text: string): fc.Arbitrary<readonly Buffer[]> =>
  fc
    .array(fc.nat({ max: text.length }), { maxLength: 40 })
    .map((places) => [0, ...places.toSorted((left, right) => left - right), text.length])
    .map((places) =>
      places.slice(1).map((to, index) => Buffer.from(text.slice(places[index], to), "latin1")),
    );

const good: readonly (readonly [string, string, Partial<Read>])[] = [
  [
    "101 and the first frames",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A:b \r\n\r\n\x81\x02hi",
    {
      heads: [
        [
          101,
          [
            ["upgrade", "websocket"],
            ["x-a", "b"],
          ],
        ],
      ],
      body: "\x81\x02hi",
      isOver: true,
    },
  ],
  [
    "a length",
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello",
    { heads: [[400, [["content-length", "5"]]]], body: "hello", isOver: true },
  ],
  [
    "more than the length",
    "HTTP/1.1 400 x\r\nContent-Length: 2\r\n\r\nhello",
    { body: "he", isOver: true },
  ],
  [
    "no length",
    "HTTP/1.0 401 Unauthorized\r\n\r\nuntil the end",
    { body: "until the end", isOver: true },
  ],
  ["no body", "HTTP/1.1 401 Unauthorized\r\n\r\n", { body: "", isOver: true }],
  ["no reason", "HTTP/1.1 401\r\n\r\n", { heads: [[401, []]], isOver: true }],
  [
    "304 that names a length",
    "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n",
    { body: "", isOver: true },
  ],
  ["an empty value", "HTTP/1.1 401 x\r\nA:\r\n\r\n", { heads: [[401, [["a", ""]]]] }],
  ["Latin-1 in a value", "HTTP/1.1 401 x\r\nA: \xe9\r\n\r\n", { heads: [[401, [["a", "\xe9"]]]] }],
  [
    "chunks",
    "HTTP/1.1 403 x\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nT: x\r\n\r\nrest",
    { body: "hello world", isOver: true },
  ],
  [
    "interim answers",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n",
    {
      heads: [
        [100, []],
        [103, [["link", "</a>"]]],
        [404, [["content-length", "0"]]],
      ],
      isOver: true,
    },
  ],
];

describe("an answer", () => {
  it.each(good)("%s: is read, in whatever chunks", (_, text, expected) => {
    const whole = read(text);
    expect(whole).toMatchObject({ error: undefined, ...expected });
    fc.assert(fc.property(cutUp(text), (chunks) => void expect(readAll(chunks)).toEqual(whole)));
  });

  it("is over as soon as its length is there", () => {
    for (const [, text, { isOver }] of good) {
      const isDelimited = /length|chunked|304/i.test(text);
      expect(read(text, false).isOver).toBe(isOver === true && isDelimited);
    }
  });
});

const bad: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["a frame", "\x81\x02hi"],
  ["half a head", "HTTP/1.1 101 Switching"],
  ["another protocol", "RTSP/1.0 200 OK\r\n\r\n"],
  ["HTTP/2", "HTTP/2 200\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
  ["a status of 600", "HTTP/1.1 600 x\r\n\r\n"],
  ["a blank before the status line", " HTTP/1.1 400 x\r\n\r\n"],
  ["a line before the status line", "\r\nHTTP/1.1 400 x\r\n\r\n"],
  ["a bare LF", "HTTP/1.1 400 x\r\nA: b\nevil: c\r\n\r\n"],
  ["a bare CR", "HTTP/1.1 400 x\r\nA: b\revil: c\r\n\r\n"],
  ["NUL", "HTTP/1.1 400 x\r\nA: b\0:status\r\n\r\n"],
  ["NUL in the reason", "HTTP/1.1 400 \0\r\n\r\n"],
  ["a folded line", "HTTP/1.1 400 x\r\nA: b\r\n c\r\n\r\n"],
  ["a line without a colon", "HTTP/1.1 400 x\r\nA\r\n\r\n"],
  ["a blank before the colon", "HTTP/1.1 400 x\r\nA : b\r\n\r\n"],
  ["a nameless line", "HTTP/1.1 400 x\r\n: b\r\n\r\n"],
  ["a pseudo-header", "HTTP/1.1 400 x\r\n:status: 200\r\n\r\n"],
  ["a head that is too long", `HTTP/1.1 400 x\r\nA: ${"b".repeat(maxHeaderSize)}\r\n\r\n`],
  ["a length that is none", "HTTP/1.1 400 x\r\nContent-Length: -1\r\n\r\n"],
  ["two lengths", "HTTP/1.1 400 x\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n"],
  ["less than the length", "HTTP/1.1 400 x\r\nContent-Length: 5\r\n\r\nhell"],
  [
    "a length and chunks",
    "HTTP/1.1 400 x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["another coding", "HTTP/1.1 400 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ["a chunk without a size", "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n\r\n"],
  ["a chunk of a negative size", "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"],
  [
    "a chunk of too large a size",
    "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n123456789\r\n",
  ],
  [
    "a chunk that is longer",
    "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
  ],
  ["a size that ends in LF alone", "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n0\n\r\n"],
  ["no last chunk", "HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"],
  [
    "a size line without end",
    `HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n${"0".repeat(maxHeaderSize + 1)}`,
  ],
  [
    "trailers without end",
    `HTTP/1.1 400 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${"A: b\r\n".repeat(maxHeaderSize)}`,
  ],
];

describe("what is no answer", () => {
  it.each(bad)("%s: is an error, in whatever chunks", (_, text) => {
    const { error, isOver } = read(text);
    expect({ error, isOver }).toEqual({ error: expect.stringContaining("HTTP/2"), isOver: false });
    fc.assert(
      fc.property(cutUp(text), (chunks) => void expect(readAll(chunks).error).toBe(error)),
      { numRuns: 20 },
    );
  });

  it("never is more than an error", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 })), (chunks) => {
        const { error } = readAll(chunks.map((chunk) => Buffer.from(chunk)));
        if (error !== undefined) expect(error).toContain("HTTP/2");
      }),
    );
  });
});

/** What Node's own client makes of an answer; undefined where it takes it for none. */
async function readByNode(text: string): Promise<object | undefined> {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  const request = httpRequest({ createConnection: () => socket });
  request.on("error", () => undefined);
  request.end();
  setImmediate(() => {
    socket.push(Buffer.from(text, "latin1"));
    socket.push(null);
  });
  try {
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const fields: [string, string][] = [];
    for (let at = 0; at < response.rawHeaders.length; at += 2) {
      fields.push([
        (response.rawHeaders[at] as string).toLowerCase(),
        response.rawHeaders[at + 1] as string,
      ]);
    }
    return { status: response.statusCode, fields, body: Buffer.concat(chunks).toString("latin1") };
  } catch {
    return undefined;
  } finally {
    request.destroy();
  }
}

const token = fc.stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,12}$/);
const value = fc.stringMatching(/^([!-~]([ -~]{0,20}[!-~])?)?$/);
const body = fc.string({ maxLength: 60, unit: "binary-ascii" });
const status = fc.constantFrom(300, 400, 401, 403, 404, 426, 500, 503);
const framings = [
  "connection",
  "content-length",
  "transfer-encoding",
  "trailer",
  "keep-alive",
  "proxy-connection",
  "upgrade",
];
const fields = fc.array(
  fc.tuple(
    token.filter((name) => !framings.includes(name.toLowerCase())),
    value,
  ),
  { maxLength: 6 },
);

const chunked = (text: string, size: number): string => {
  const chunks = text.match(new RegExp(`[^]{1,${size}}`, "g")) ?? [];
  return [
    ...chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`),
    "0\r\n\r\n",
  ].join("");
};

describe("an answer of any kind", () => {
  it("is what Node's own client makes of it", async () => {
    const answers = fc.tuple(
      status,
      fields,
      body,
      fc.constantFrom("length", "chunks", "end"),
      fc.integer({ min: 1, max: 9 }),
    );
    await fc.assert(
      fc.asyncProperty(answers, async ([code, lines, text, framing, size]) => {
        const all =
          framing === "length"
            ? [...lines, ["Content-Length", String(text.length)]]
            : framing === "chunks"
              ? [...lines, ["Transfer-Encoding", "chunked"]]
              : lines;
        const head = all.map(([name, content]) => `${name}: ${content}\r\n`).join("");
        const sent = `HTTP/1.1 ${code} Reason\r\n${head}\r\n${framing === "chunks" ? chunked(text, size) : text}`;
        const { heads, body: ours, error } = read(sent);
        const byNode = await readByNode(sent);
        expect({ error, status: heads[0]?.[0], fields: heads[0]?.[1], body: ours }).toEqual({
          error: undefined,
          ...byNode,
        });
      }),
      { numRuns: 200 },
    );
  });

  it("that is taken here is taken by Node's client too", async () => {
    for (const [, text] of good.filter(([, sent]) => !sent.includes(" 101 "))) {
      expect(await readByNode(text)).toBeDefined();
    }
  });
});
