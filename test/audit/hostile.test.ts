import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { audit } from "@firmshake/audit";
import { describe, expect, it } from "vitest";
import { pongTo, serveTcp, switchProtocols } from "./weak-servers.ts";

const maxDurationMs = 1_200;
/** Of time: what runs at the end may take a moment more. Of memory: a run keeps what it has seen, and V8 collects late. */
const toleranceMs = 1_500;
const maxGrowthBytes = 96 * 1_048_576;

/** Sends as fast as it is read, for as long as it is. */
const endlessly = (socket: Socket, chunk: Buffer): void => {
  const pump = (): void => {
    while (!socket.destroyed && socket.writable) {
      if (!socket.write(chunk)) {
        socket.once("drain", pump);
        return;
      }
    }
  };
  pump();
};
const once =
  (act: (socket: Socket, head: string) => void) =>
  (socket: Socket): void => {
    socket.once("data", (data) => act(socket, String(data)));
  };
const megabyte = Buffer.alloc(1_048_576, "x");

const servers: Readonly<Record<string, (socket: Socket) => void>> = {
  "sends header lines without end": once((socket) => {
    socket.write("HTTP/1.1 101 Yes\r\n");
    endlessly(socket, Buffer.from("X-More: and more\r\n".repeat(4_000)));
  }),
  "sends one header line without end": once((socket) => {
    socket.write("HTTP/1.1 101 Yes\r\nX-Long: ");
    endlessly(socket, megabyte);
  }),
  "drips a header letter by letter": once((socket) => {
    socket.write("HTTP/1.1 101 Yes\r\nX-Slow: ");
    const timer = setInterval(() => socket.write("x"), 20);
    socket.once("close", () => clearInterval(timer));
  }),
  "sends interim answers without end": once((socket) =>
    endlessly(socket, Buffer.from("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000))),
  ),
  "sends a body of 1 GB": once((socket) => {
    socket.write("HTTP/1.1 403 No\r\nContent-Length: 1000000000\r\n\r\n");
    endlessly(socket, megabyte);
  }),
  "sends chunks without end": once((socket) => {
    socket.write("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n");
    endlessly(socket, Buffer.from(`100000\r\n${"x".repeat(1_048_576)}\r\n`));
  }),
  "sends a compressed body of 1 GB": once((socket) => {
    socket.write("HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\n");
    socket.end(gzipSync(Buffer.alloc(64 * 1_048_576)));
  }),
  "redirects to itself": once((socket) => {
    socket.end("HTTP/1.1 307 Again\r\nLocation: /chat\r\nContent-Length: 0\r\n\r\n");
  }),
  "is silent": () => undefined,
  "sends bytes that are not HTTP": once((socket) => endlessly(socket, randomBytes(65_536))),
  "sends messages without end": once((socket, head) => {
    switchProtocols(head, socket);
    const frame = Buffer.concat([Buffer.from([0x82, 126, 0x40, 0x00]), Buffer.alloc(16_384)]);
    endlessly(socket, frame);
  }),
  "sends empty frames without end": once((socket, head) => {
    switchProtocols(head, socket);
    endlessly(socket, Buffer.alloc(16_384, Buffer.from([0x81, 0x00])));
  }),
  "sends pings without end, and answers those of others": (socket) => {
    let isOpen = false;
    socket.on("data", (data) => {
      if (isOpen) pongTo(data, socket);
      else {
        isOpen = true;
        switchProtocols(String(data), socket);
        endlessly(socket, Buffer.alloc(16_384, Buffer.from([0x89, 0x00])));
      }
    });
  },
  "announces a frame of 2^62 bytes": once((socket, head) => {
    switchProtocols(head, socket);
    socket.write(Buffer.from([0x82, 127, 0x40, 0, 0, 0, 0, 0, 0, 0]));
    endlessly(socket, megabyte);
  }),
  "sends a compressed frame that nobody asked for": once((socket, head) => {
    switchProtocols(head, socket);
    socket.write(Buffer.concat([Buffer.from([0xc2, 0x05]), Buffer.from("bombs")]));
  }),
  "accepts and never closes": (socket) => {
    let isOpen = false;
    socket.on("data", (data) => {
      if (isOpen) pongTo(data, socket);
      else switchProtocols(String(data), socket);
      isOpen = true;
    });
  },
};

describe("a hostile server cannot hurt the audit", () => {
  it.each(Object.entries(servers))("one that %s", { timeout: 15_000 }, async (_, onConnection) => {
    const url = await serveTcp(onConnection);
    const before = process.memoryUsage.rss();
    const began = performance.now();
    const report = await audit(url, {
      intrusive: true,
      limits: { maxDurationMs, answerMs: 250, quietMs: 50, maxBytes: 32 * 1_048_576 },
    });
    expect(performance.now() - began).toBeLessThan(maxDurationMs + toleranceMs);
    expect(process.memoryUsage.rss() - before).toBeLessThan(maxGrowthBytes);
    expect(report.summary.bytesReceived).toBeLessThan(34 * 1_048_576);
    expect(JSON.stringify(report).length).toBeLessThan(1_000_000);
    if (!report.baseline.isAccepted) {
      const claimed = report.findings.filter(
        ({ verdict }) => verdict === "pass" || verdict === "fail",
      );
      // Those are seen in the URL, in header lines and in what a refusal changes to, without the user being let in.
      const isOfUrl = ({ id }: { id: string }): boolean =>
        ["WS-AUTH-3", "WS-INFO-2", "WS-TLS-3", "WS-PROXY-2"].includes(id);
      expect(claimed.filter((one) => !isOfUrl(one))).toEqual([]);
    }
  });

  it("gets nothing that acts on a terminal into a report, nor the user's secrets", async () => {
    const secret = "Rk9vQmFyQmF6UXV4";
    const url = await serveTcp(
      once((socket) => {
        socket.end(
          `HTTP/1.1 403 \x1b[2J\r\nX-Echo: ${secret}\r\nX-Colour: \x1b[31mred\u009b\r\n\r\n\x1b]0;title\x07 ${encodeURIComponent(secret)}\u202e`,
        );
      }),
    );
    const report = await audit(`${url}?token=${secret}`, {
      headers: { Cookie: `session=${secret}`, Authorization: `Bearer ${secret}` },
      limits: { answerMs: 250, quietMs: 50 },
    });
    const written: string[] = [];
    const text = JSON.stringify(report, (name, value: unknown) => {
      // The audit's own text, of several lines.
      if (name === "remedy") return undefined;
      if (typeof value === "string") written.push(value);
      return value;
    });
    expect(text).not.toContain(secret);
    expect(written.filter((one) => /\p{Cc}|\p{Bidi_Control}/u.test(one))).toEqual([]);
  });

  it("ends at once when it is aborted, and reports what it has", async () => {
    const url = await serveTcp(() => undefined);
    const controller = new AbortController();
    const running = audit(url, { signal: controller.signal, limits: { answerMs: 60_000 } });
    controller.abort();
    const { summary } = await running;
    expect(summary.cutShort).toBe("aborted");
    expect(summary.byVerdict.pass).toBe(0);
  });

  it("makes no more handshakes than it may", async () => {
    const url = await serveTcp(servers["accepts and never closes"] ?? (() => undefined));
    const { summary } = await audit(url, {
      limits: { maxHandshakes: 12, answerMs: 250, quietMs: 20 },
    });
    expect(summary).toMatchObject({ handshakes: 12, cutShort: "handshakes" });
  });
});
