import { type AuditEvent, audit, checkIds, checkList } from "@firmshake/audit";
import { describe, expect, it } from "vitest";
import { readCredentials } from "../../packages/audit/src/credentials.ts";
import { classOf } from "../../packages/audit/src/target.ts";
import { auditBriskly } from "./findings.ts";
import { serveWs } from "./weak-servers.ts";

describe("a target", () => {
  it.each([
    ["is no URL", "localhost:8080", "ERR_FIRMSHAKE_TARGET_INVALID"],
    ["has another scheme", "https://localhost/", "ERR_FIRMSHAKE_TARGET_INVALID"],
    ["has a user", "ws://alice:secret@localhost/", "ERR_FIRMSHAKE_TARGET_INVALID"],
    ["is public", "wss://203.0.113.7/", "ERR_FIRMSHAKE_TARGET_PUBLIC"],
  ])("that %s is refused before anything is sent", async (_, target, code) => {
    await expect(audit(target)).rejects.toMatchObject({ name: "ConfigError", code });
  });

  it.each([
    ["127.0.0.1", "loopback"],
    ["127.8.9.1", "loopback"],
    ["::1", "loopback"],
    ["0.0.0.0", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["10.1.2.3", "private"],
    ["172.31.0.1", "private"],
    ["172.32.0.1", "public"],
    ["192.168.0.1", "private"],
    ["169.254.1.1", "private"],
    ["fd00::1", "private"],
    ["fe80::1", "private"],
    ["::ffff:192.168.0.1", "private"],
    ["203.0.113.7", "public"],
    ["::ffff:203.0.113.7", "public"],
    ["2001:db8::7", "public"],
  ] as const)("at %s is %s", (address, expected) => {
    expect(classOf(address)).toBe(expected);
  });
});

describe("options", () => {
  it.each([
    ["an unknown name", { intrusiv: true }, "ERR_FIRMSHAKE_OPTION_UNKNOWN"],
    ["a header of two lines", { headers: { A: "b\r\nC: d" } }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    ["an origin with a path", { origin: "https://a.example/" }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    ["an unknown check", { only: ["WS-NONE-1"] }, "ERR_FIRMSHAKE_OPTION_INVALID"],
    ["an unknown limit", { limits: { maxHandshake: 1 } }, "ERR_FIRMSHAKE_OPTION_UNKNOWN"],
  ])("with %s are refused", async (_, options, code) => {
    await expect(audit("ws://127.0.0.1:1/", options as object)).rejects.toMatchObject({ code });
  });
});

describe("the list of checks", () => {
  it("holds each id once, in words, with references", () => {
    expect(checkList.map(({ id }) => id)).toEqual(checkIds);
    for (const { title, remedy, references } of checkList) {
      expect(title).toMatch(/^[A-Z].*[^.]$/);
      expect(remedy.text).toMatch(/\.$/);
      expect(references.cwe.every((one) => /^CWE-\d+$/.test(one))).toBe(true);
      expect(references.asvs.every((one) => /^\d+\.\d+\.\d+$/.test(one))).toBe(true);
      expect(
        [references.cwe, references.asvs, references.wstg].every(({ length }) => length > 0),
      ).toBe(true);
    }
  });
});

describe("a report", () => {
  it("has a finding for each check, in the order of the list, and is what JSON holds", async () => {
    const events: AuditEvent[] = [];
    const url = await serveWs();
    const report = await auditBriskly(url, { onProgress: (event) => events.push(event) });
    expect(report.findings.map(({ id }) => id)).toEqual(checkIds);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(report.summary.worst).toBe("critical");
    expect(report.summary.handshakes).toBeLessThanOrEqual(400);
    expect(events[0]?.type).toBe("baseline");
    expect(events.filter(({ type }) => type === "check-finished")).toHaveLength(checkIds.length);
  });

  it("says of everything that was not tried what it lacked", async () => {
    const { findings } = await auditBriskly(await serveWs(), {
      only: ["WS-JWT-1", "WS-FRAME-3", "WS-LIFE-4"],
    });
    expect(findings.map(({ verdict, reason }) => [verdict, reason])).toEqual([
      ["skipped", "No JWT was given."],
      ["skipped", "It has to wait: give it time with the option waitMs."],
      ["skipped", "It may end a weak server: it is run with the option intrusive alone."],
    ]);
  });

  it("passes nothing where everybody is refused by the end, the user too", async () => {
    let count = 0;
    const rule = () => count++ === 0;
    const { findings } = await auditBriskly(await serveWs({ rule }), { only: ["WS-ORIGIN-1"] });
    expect(findings).toMatchObject([{ verdict: "inconclusive" }]);
    expect(findings[0]?.reason).toContain("so was the user's own handshake");
  });
});

describe("credentials", () => {
  const url = new URL("wss://a.example/chat?room=7&token=c2VjcmV0");
  const given = {
    headers: {
      Cookie: "sid=abcdef; theme=dark",
      Authorization: "Bearer abc.def",
      "User-Agent": "me",
    },
    protocols: ["chat.v1", "bearer.c2VjcmV0"],
  };
  const { dress } = readCredentials({ url }, given);

  it("are all there in the user's own handshake", () => {
    expect(dress("own")).toMatchObject({
      path: "/chat?room=7&token=c2VjcmV0",
      protocols: given.protocols,
    });
  });

  it("of a foreign page are those that browsers add by themselves", () => {
    expect(dress("ambient")).toMatchObject({
      path: "/chat?room=7",
      lines: [
        ["Cookie", "sid=abcdef; theme=dark"],
        ["User-Agent", "me"],
      ],
      protocols: ["chat.v1"],
    });
  });

  it("are left out", () => {
    expect(dress("none").lines).toEqual([["User-Agent", "me"]]);
  });

  it("are made up in the same shape", () => {
    const { path, lines, protocols } = dress("random");
    expect(path).toMatch(
      /^\/chat\?room=7&token=[a-z]\d[A-Z][a-z]{2}[A-Z]\d$|^\/chat\?room=7&token=\w{8}$/,
    );
    expect(path).not.toContain("c2VjcmV0");
    expect(lines[0]?.[1]).toMatch(/^sid=[a-z]{6}; ?theme=[a-z]{4}$/);
    expect(protocols[0]).toBe("chat.v1");
  });
});
