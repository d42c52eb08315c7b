import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { audit } from "@firmshake/audit";
import { describe, expect, it } from "vitest";
import { auditBriskly } from "./findings.ts";
import { serveTcp, serveWs } from "./weak-servers.ts";

const answers =
  (bytes: string, isEnded = true) =>
  (socket: Socket): void => {
    socket.once("data", () => {
      socket.write(bytes, "latin1");
      if (isEnded) socket.end();
    });
  };
const accept = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
/** Answers 101 properly, and then these bytes. */
const opens =
  (bytes: Buffer, isEnded = false) =>
  (socket: Socket): void => {
    socket.once("data", (head: Buffer) => {
      const key = /key: (\S+)/i.exec(head.toString())?.[1] ?? "";
      socket.write(
        `HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(key)}\r\n\r\n`,
      );
      socket.write(bytes);
      if (isEnded) socket.end();
    });
  };
const ends = (socket: Socket): void => {
  socket.once("data", () => socket.end());
};
const resets = (socket: Socket): void => {
  socket.once("data", () => socket.resetAndDestroy());
};
const nothing = Buffer.alloc(0);
const closeFrame = Buffer.from([0x88, 0x04, 0x03, 0xf0, 0x6e, 0x6f]);

describe("the outcome of a handshake", () => {
  it.each([
    [
      "a refusal by HTTP",
      answers("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"),
      "refused-by-http",
    ],
    [
      "a redirect, which is not followed",
      answers("HTTP/1.1 302 There\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
      "refused-by-http",
    ],
    ["an end without a byte", ends, "ended-without-a-byte"],
    ["a reset", resets, "ended-without-a-byte"],
    ["bytes that are not HTTP", answers("SSH-2.0-OpenSSH_9.6\r\n"), "not-http"],
    ["a head that is malformed", answers("HTTP/1.1 101 Yes\r\nno colon\r\n\r\n"), "not-http"],
    ["half a head", answers("HTTP/1.1 101 Yes\r\nUpgr"), "not-http"],
    ["silence", () => undefined, "silent"],
    ["a close frame after 101", opens(closeFrame), "closed-after-101"],
    ["an end after 101", opens(nothing, true), "closed-after-101"],
    [
      "a masked frame after 101",
      opens(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x61])),
      "closed-after-101",
    ],
    ["101, and no pong", opens(nothing), "mute-after-101"],
    [
      "101 without its proof",
      answers("HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", false),
      "invalid-101",
    ],
  ] as const)("is told for %s", async (_, onConnection, outcome) => {
    const report = await auditBriskly(await serveTcp(onConnection), { only: ["WS-ORIGIN-1"] });
    expect(report.baseline).toMatchObject({ isAccepted: false, evidence: { outcome } });
    expect(report.findings).toMatchObject([{ verdict: "inconclusive" }]);
  });

  it("is accepted where 101 is followed by a pong, with what was said in between", async () => {
    const url = await serveWs({ onSocket: (socket) => socket.send("Welcome.") });
    const { baseline } = await auditBriskly(url, { only: ["WS-ORIGIN-1"] });
    expect(baseline).toMatchObject({
      isAccepted: true,
      evidence: { outcome: "accepted", firstMessage: "Welcome." },
    });
  });

  it("says why a connection was closed", async () => {
    const { baseline } = await auditBriskly(await serveTcp(opens(closeFrame)), { only: [] });
    expect(baseline.evidence).toMatchObject({ closeCode: 1008 });
    expect(baseline.reason).toContain("“no”");
  });

  it("is unreachable where nobody listens", async () => {
    const { baseline, summary } = await audit("ws://127.0.0.1:1/", { only: ["WS-ORIGIN-1"] });
    expect(baseline.evidence).toMatchObject({ outcome: "unreachable" });
    expect(summary.byVerdict.pass).toBe(0);
  });
});
