import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { judgeRefusals } from "../../judge.ts";
import { isAccepted, isRefusal, isThrottled, observationOf } from "../../probe/outcome.ts";
import type { Evidence } from "../../report.ts";
import { openOwn, type Run } from "../../run.ts";

const needsLogout = ({ options, credentials }: Run): string | undefined => {
  if (!credentials.isGiven) return "No credential was given whose session could end.";
  return options.logout === undefined ? "No way to log out was given." : undefined;
};

/** The one logout of the run, with a connection that was open before it. */
interface LoggedOut {
  /** Whether the connection ended; undefined where there was none. */
  readonly isClosed: boolean | undefined;
  readonly evidence: Evidence;
}

const loggedOut = (run: Run): Promise<LoggedOut> =>
  run.once("logout", async () => {
    const { connection, outcome } = await openOwn(run);
    await run.options.logout?.();
    if (connection === undefined) return { isClosed: undefined, evidence: run.evidence(outcome) };
    try {
      const isClosed =
        (await connection.isClosedWithin(run.limits.answerMs)) ||
        !(await connection.ping(run.limits.answerMs));
      const { closeCode } = connection.heard();
      return {
        isClosed,
        evidence: {
          probe: "A connection that was open at the logout",
          observation: isClosed
            ? `closed ${closeCode === undefined ? "" : `with close code ${closeCode}`}`.trim()
            : "still open afterwards, and a ping was answered",
          ...(closeCode !== undefined && { closeCode }),
        },
      };
    } finally {
      await connection.close();
    }
  });

export const outlivesLogout: Check = {
  id: "WS-LIFE-2",
  needsNoControl: true,
  skipsBecause: needsLogout,
  run: async (run) => {
    const { isClosed, evidence } = await loggedOut(run);
    if (isClosed === undefined) {
      return inconclusive("No connection could be opened before the logout.", [evidence]);
    }
    return isClosed
      ? passed("The connection was closed at the logout.", [evidence])
      : failed("The connection went on after the logout.", [evidence]);
  },
};

export const opensAfterLogout: Check = {
  id: "WS-LIFE-3",
  needsNoControl: true,
  skipsBecause: needsLogout,
  run: async (run) => {
    await loggedOut(run);
    const outcome = await run.shake({ probe: "The old credential after the logout" });
    const evidence = [run.evidence(outcome)];
    if (isAccepted(outcome)) {
      return failed("The credential opened a new connection after the logout.", evidence);
    }
    return isRefusal(outcome) && !isThrottled(outcome)
      ? passed("The credential was refused after the logout.", evidence)
      : inconclusive(`It could not be told: ${observationOf(outcome)}.`, evidence);
  },
};

export const otherSpelling: Check = {
  id: "WS-JWT-5",
  needsNoControl: true,
  skipsBecause: (run) =>
    run.credentials.token === undefined ? "No JWT was given." : needsLogout(run),
  run: async (run) => {
    await loggedOut(run);
    const { token = "" } = run.credentials;
    const same = await run.shake({ probe: "The token as it was" });
    if (!isRefusal(same) || isThrottled(same)) {
      return inconclusive(
        "The token itself is not refused after the logout (WS-LIFE-3), so that its spelling does not matter.",
        [run.evidence(same)],
      );
    }
    const [header = "", payload = "", signature = ""] = token.split(".");
    const spellings: readonly (readonly [string, string])[] = [
      ["a padded signature", `${token}=`],
      ["a doubly padded signature", `${token}==`],
      ["a padded payload", `${header}.${payload}=.${signature}`],
      ["the letters of plain base64", token.replaceAll("-", "+").replaceAll("_", "/")],
    ];
    return judgeRefusals(
      run,
      spellings
        .filter(([, text]) => text !== token)
        .map(([what, text]) => ({
          probe: `The token with ${what}`,
          credentials: run.credentials.withToken(text),
        })),
      {
        fails: () =>
          "The token was refused after the logout, and let in when it was spelt otherwise.",
        passes: "The token was refused in every spelling.",
      },
    );
  },
};
