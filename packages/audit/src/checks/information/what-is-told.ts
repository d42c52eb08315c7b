import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { headerOf } from "../../probe/http-answer.ts";
import { isRefusal, type Outcome } from "../../probe/outcome.ts";
import { foreignPage } from "../origin/foreign-page.ts";

/** Lines of stack traces, paths of source files, and versions of runtimes in the text of a refusal. */
const telltales: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a stack trace", /\n\s*at [^\n]{1,200}:\d+:\d+|Traceback \(most recent call last\)/],
  ["the path of a source file", /\/(?:node_modules|site-packages)\/|[A-Z]:\\[^\s]{3,}\.\w{1,4}:\d/],
  [
    "the error of a token library",
    /jwt (?:expired|malformed)|JsonWebTokenError|TokenExpiredError|invalid signature/i,
  ],
];

const telling = ({ body, closeReason = "", messages }: Outcome): readonly string[] =>
  telltales
    .filter(([, pattern]) => [body, closeReason, ...messages].some((text) => pattern.test(text)))
    .map(([what]) => what);

export const errorsTell: Check = {
  id: "WS-INFO-1",
  needsNoControl: true,
  run: async (run) => {
    const { options, credentials } = run;
    await foreignPage(run);
    await run.shake({
      probe: "A path that nobody serves",
      target: "/%00firmshake-audit",
      isBare: true,
    });
    const wrong = credentials.isGiven
      ? await run.once("random credential", () =>
          run.shake({ probe: "Random credentials of the same shape", credentials: "random" }),
        )
      : undefined;
    const expired =
      options.expiredToken === undefined || credentials.token === undefined
        ? undefined
        : await run.shake({
            probe: "The expired token",
            credentials: credentials.withToken(options.expiredToken),
          });
    const refusals = run.history
      .map(({ outcome }) => outcome)
      .filter(({ kind }) => kind !== "accepted" && kind !== "unreachable");
    const talkative = refusals.filter((outcome) => telling(outcome).length > 0);
    if (talkative.length > 0) {
      const what = [...new Set(talkative.flatMap(telling))].join(", ");
      return failed(`Refusals hold ${what}.`, talkative.slice(0, 4).map(run.evidence));
    }
    const [one, other] = [wrong, expired].filter((outcome) => outcome && isRefusal(outcome));
    if (one !== undefined && other !== undefined && !isAlike(one, other)) {
      return failed("An expired token is refused in other words than a false one.", [
        run.evidence(one),
        run.evidence(other),
      ]);
    }
    return refusals.length > 0
      ? passed(`${refusals.length} refusals told nothing of use.`)
      : inconclusive("Nothing was refused.");
  },
};

const isAlike = (one: Outcome, other: Outcome): boolean =>
  one.kind === other.kind &&
  one.head?.status === other.head?.status &&
  one.body === other.body &&
  one.closeCode === other.closeCode &&
  one.closeReason === other.closeReason;

const versioned = /\d+\.\d+/;

export const softwareTold: Check = {
  id: "WS-INFO-2",
  needsNoBaseline: true,
  needsNoControl: true,
  run: async (run) => {
    await foreignPage(run);
    const outcomes = run.history
      .map(({ outcome }) => outcome)
      .filter(({ head }) => head !== undefined);
    if (outcomes.length === 0) return inconclusive("Nothing was answered.");
    const seen = new Map<string, Outcome>();
    for (const outcome of outcomes) {
      for (const name of ["server", "x-powered-by", "x-aspnet-version", "via"]) {
        const value = headerOf(outcome.head, name);
        if (value !== undefined) seen.set(run.mask.line(name, value), outcome);
      }
    }
    const versions = [...seen].filter(([line]) => versioned.test(line));
    return versions.length > 0
      ? failed(
          `Answers name software and version: ${versions.map(([line]) => line).join("; ")}.`,
          versions.slice(0, 4).map(([, outcome]) => run.evidence(outcome)),
        )
      : passed(
          seen.size > 0
            ? `Answers name software without its version: ${[...seen.keys()].join("; ")}.`
            : "Answers name no software.",
        );
  },
};
