import { readFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import { checkIds } from "@firmshake/audit";
import { default as ajvDraft04 } from "ajv-draft-04";
import addFormats from "ajv-formats";
import { XmlDocument, XsdValidator } from "libxml2-wasm";
import { describe, expect, it } from "vitest";
import { formatNames, formatOfFile, write } from "../../packages/audit/src/formats/all.ts";
import type { Assessment } from "../../packages/audit/src/formats/assessment.ts";
import { printable } from "../../packages/audit/src/formats/printable.ts";
import { evidence, finding, hostile, judged, report, runs, target } from "./runs.ts";

const options = { width: 80, hasColors: false };
const cases = Object.entries(runs);
const schema = (name: string): string =>
  readFileSync(new URL(`schemas/${name}`, import.meta.url), "utf8");

describe.each(formatNames)("%s", (format) => {
  it.each(cases)("says the same of the same run %s", (_, run) => {
    expect(write(format, structuredClone(run), options)).toBe(write(format, run, options));
  });

  it.each(cases)("ends with the end of a line after a run %s", (_, run) => {
    expect(write(format, run, options)).toMatch(/[^\n]\n$/);
  });
});

describe("SARIF", () => {
  const ajv = new ajvDraft04.default({ strict: false, allErrors: true, unicodeRegExp: false });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(schema("sarif.json")) as object);
  const log = (run: Assessment, location?: string): Log =>
    JSON.parse(
      write("sarif", run, { ...options, ...(location === undefined ? {} : { location }) }),
    ) as Log;
  const resultsOf = (run: Assessment, location?: string): readonly Result[] =>
    log(run, location).runs[0]?.results ?? [];

  it.each(cases)("of a run %s is valid by the schema of SARIF 2.1.0", (_, run) => {
    validate(log(run, "src/server.ts"));
    expect(validate.errors).toBeNull();
    validate(log(run));
    expect(validate.errors).toBeNull();
  });

  it("has a rule for each check, with help and a severity that code hosts sort by", () => {
    const rules = log(judged([])).runs[0]?.tool.driver.rules ?? [];
    expect(rules.map(({ id }) => id)).toEqual([...checkIds, "EXPECTED-ORIGIN"]);
    for (const { help, properties } of rules) {
      expect(help.text).toMatch(/\./);
      expect(Number(properties["security-severity"])).toBeLessThanOrEqual(10);
    }
  });

  it.each([
    ["info", "note"],
    ["low", "note"],
    ["medium", "warning"],
    ["high", "error"],
    ["critical", "error"],
  ] as const)("says of %s that it is a %s", (severity, level) => {
    const found = report([finding("WS-ORIGIN-1", "fail", { severity })]);
    expect(resultsOf(judged([{ target, report: found, origins: [] }]))).toMatchObject([
      { ruleId: "WS-ORIGIN-1", ruleIndex: 0, level },
    ]);
  });

  it("has only what failed as results, what was accepted among them, suppressed with the reason", () => {
    const results = resultsOf(runs["of every verdict and severity"] as Assessment);
    expect(results.map(({ ruleId }) => ruleId)).toEqual([
      "WS-ORIGIN-1",
      "WS-ORIGIN-2",
      "WS-ORIGIN-3",
      "WS-ORIGIN-5",
      "WS-ORIGIN-8",
      "WS-HOST-1",
      "EXPECTED-ORIGIN",
    ]);
    const suppressed = results.filter(({ suppressions }) => suppressions !== undefined);
    expect(suppressed).toMatchObject([
      {
        ruleId: "WS-HOST-1",
        suppressions: [{ kind: "external", justification: expect.stringContaining("old proxy") }],
      },
    ]);
  });

  it("has the same fingerprint when the same is found again, at whatever query", () => {
    const fingerprintAt = (url: string, reason: string): unknown => {
      const found = report([finding("WS-ORIGIN-1", "fail", { reason })], {
        target: url,
        startedAt: reason,
      });
      return resultsOf(judged([{ target: url, report: found, origins: [] }]))[0]
        ?.partialFingerprints;
    };
    const first = fingerprintAt("ws://127.0.0.1/a?token=[masked, 5 characters]", "One.");
    expect(fingerprintAt("ws://127.0.0.1/a?token=[masked, 6 characters]", "Two.")).toEqual(first);
    expect(fingerprintAt("ws://127.0.0.1/b", "One.")).not.toEqual(first);
  });

  it("locates results in the file that was named, or at the URL", () => {
    const run = runs["of several targets"] as Assessment;
    const uriOf = (location?: string): unknown =>
      resultsOf(run, location)[0]?.locations[0]?.physicalLocation.artifactLocation;
    expect(uriOf("src\\my server.ts")).toEqual({
      uri: "src/my%20server.ts",
      uriBaseId: "%SRCROOT%",
    });
    expect(uriOf()).toEqual({ uri: target });
  });

  it("says that a run which did not conclude was no success", () => {
    const [invocation] = log(runs["of hostile text"] as Assessment).runs[0]?.invocations ?? [];
    expect(invocation?.toolExecutionNotifications.length).toBeGreaterThan(0);
    const unfinished = judged([{ target, problem: "It is gone.", origins: [] }]);
    expect(log(unfinished).runs[0]?.invocations).toMatchObject([{ executionSuccessful: false }]);
  });
});

describe("JUnit", () => {
  const xsd = XsdValidator.fromDoc(XmlDocument.fromString(schema("junit.xsd")));

  it.each(cases)("of a run %s is valid by the schema", (_, run) => {
    const document = XmlDocument.fromString(write("junit", run, options));
    expect(() => xsd.validate(document)).not.toThrow();
    document.dispose();
  });

  it("counts what fails, what could not be told against expectation, and what was left out", () => {
    const text = write("junit", runs["of every verdict and severity"] as Assessment, options);
    const document = XmlDocument.fromString(text);
    const suite = document.root.get("testsuite");
    const count = (path: string): number => document.root.find(path).length;
    expect(suite?.find("testcase")).toHaveLength(14);
    expect({
      failures: count("//failure"),
      errors: count("//error"),
      skipped: count("//skipped"),
    }).toEqual({ failures: 5, errors: 3, skipped: 4 });
    expect(text).toContain('tests="14" failures="5" errors="3" skipped="4"');
    document.dispose();
  });

  it("gives back hostile text as text", () => {
    const document = XmlDocument.fromString(
      write("junit", runs["of hostile text"] as Assessment, options),
    );
    const message = document.root.get("//failure/@message")?.content ?? "";
    expect(message).toContain("</script><img src=x onerror=alert(1)>");
    expect(message).toContain("\\u001b[31m");
    expect(document.root.find("//img | //script")).toHaveLength(0);
    document.dispose();
  });
});

describe("JSON", () => {
  it("has the whole report, and what each finding means for the run", () => {
    const run = runs["of every verdict and severity"] as Assessment;
    expect(JSON.parse(write("json", run, options))).toMatchObject({
      formatVersion: 1,
      outcome: "weak",
      targets: [
        {
          outcome: "weak",
          report: { target, findings: run.targets[0]?.report?.findings },
          judgements: expect.arrayContaining([
            { id: "WS-JWT-1", standing: "unproven", note: expect.stringContaining("not tried") },
            { id: "WS-HS-1", standing: "passed" },
          ]),
        },
      ],
    });
  });
});

describe("pretty", () => {
  it.each(cases)("stays within 80 columns after a run %s", (_, run) => {
    const long = write("pretty", run, options)
      .split("\n")
      .filter((line) => line.length > 80);
    expect(long.filter((line) => !isCode(line, run))).toEqual([]);
  });

  it.each(cases)("has nothing that acts on a terminal after a run %s", (_, run) => {
    const text = write("pretty", run, options);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through.
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  it("says the verdict first, then the worst finding with evidence and remedy, then all checks", () => {
    const text = write("pretty", runs["of every verdict and severity"] as Assessment, options);
    const places = [
      "✖ weak  ws://127.0.0.1:8080/chat",
      "4 weaknesses (1 critical, 1 high, 1 medium, 1 low), and 1 origin is not",
      "■ WS-ORIGIN-1  A page of any origin can connect (critical)",
      "seen  Origin: https://0.evil.example → accepted",
      "> GET /chat HTTP/1.1",
      "… 2 more probes",
      "mend  Compare the Origin header",
      "see   CWE-1385, ASVS 4.4.2",
      "■ WS-ORIGIN-2",
      "■ WS-HOST-1  A foreign host name is served (DNS rebinding) (high, accepted)",
      "│ WS-ORIGIN-1  │ A page of any origin",
    ].map((part) => [part, text.indexOf(part)] as const);
    expect(places.filter(([, place]) => place === -1)).toEqual([]);
    expect(places.map(([, place]) => place)).toEqual(
      places.map(([, place]) => place).toSorted((left, right) => left - right),
    );
  });

  it("marks with colours where they are wanted, and says the same without", () => {
    const run = runs["of every verdict and severity"] as Assessment;
    const coloured = write("pretty", run, { ...options, hasColors: true });
    expect(coloured).toContain("\u001b[31m");
    expect(stripVTControlCharacters(coloured)).toBe(write("pretty", run, options));
  });

  it("names what is to be tidied up in the baseline", () => {
    const text = write("pretty", runs["of every verdict and severity"] as Assessment, options);
    expect(text).toContain(
      "Note: The baseline accepts WS-ORIGIN-5 until 2026-01-31, which is over",
    );
    expect(text).toContain("Note: The baseline accepts WS-HS-1, which passes now. Take it out.");
  });

  /** Lines of examples are not broken: they are there to be copied. */
  function isCode(line: string, { targets }: Assessment): boolean {
    const examples = targets.flatMap(
      ({ report: found }) =>
        found?.findings.flatMap(({ remedy }) => remedy.examples.map(({ code }) => code)) ?? [],
    );
    return examples.some((code) => printable(code).includes(line.trim()));
  }
});

/** As much of SARIF as is looked at here; the schema looks at all of it. */
interface Log {
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly rules: readonly {
          readonly id: string;
          readonly help: { readonly text: string };
          readonly properties: Readonly<Record<string, unknown>>;
        }[];
      };
    };
    readonly invocations: readonly {
      readonly executionSuccessful: boolean;
      readonly toolExecutionNotifications: readonly object[];
    }[];
    readonly results: readonly Result[];
  }[];
}

interface Result {
  readonly ruleId: string;
  readonly suppressions?: readonly object[];
  readonly partialFingerprints: Readonly<Record<string, string>>;
  readonly locations: readonly {
    readonly physicalLocation: { readonly artifactLocation: object };
  }[];
}

describe("the ending of a file", () => {
  it.each([
    ["audit.html", "html"],
    ["a/b.SARIF", "sarif"],
    ["junit.xml", "junit"],
    ["report.json", "json"],
    ["report.txt", "pretty"],
    ["report", undefined],
    ["report.constructor", undefined],
  ])("of %s stands for %s", (path, format) => {
    expect(formatOfFile(path)).toBe(format);
  });
});

it("hostile text is hostile", () => {
  expect(evidence({ firstMessage: hostile }).firstMessage).toContain("\u001b");
});
