import { type Check, failed, inconclusive, passed, skipped } from "../../check.ts";
import { judgeOutcomes } from "../../judge.ts";
import { isAccepted, type Outcome } from "../../probe/outcome.ts";
import type { Run } from "../../run.ts";
import { dataIn } from "../refusal-message.ts";

/** The user's own client without its credentials. */
export const anonymous = (run: Run): Promise<Outcome> =>
  run.once("anonymous", () => run.shake({ probe: "Without credentials", credentials: "none" }));

export const credentialNeeded: Check = {
  id: "WS-AUTH-1",
  run: async (run) => {
    const { credentials } = run;
    if (!credentials.isGiven) {
      return failed(
        "The endpoint let in a client without any credential. That is right where everybody may use it; give a credential to have its absence tried.",
        [run.evidence(run.baseline())],
        "info",
      );
    }
    const outcome = await anonymous(run);
    if (isAccepted(outcome) && !credentials.isInHandshake && dataIn(outcome).length === 0) {
      return passed(
        "The first message authenticates, and nothing was sent before it. How long such a socket is kept is a matter of WS-AUTH-6.",
        [run.evidence(outcome)],
      );
    }
    return judgeOutcomes(run, [outcome], {
      fails: () => "The endpoint let in a client that had left out its credentials.",
      passes: "A client without its credentials was refused.",
    });
  },
};

export const credentialVerified: Check = {
  id: "WS-AUTH-2",
  skipsBecause: ({ credentials }) =>
    credentials.isGiven ? undefined : "No credential was given that could be falsified.",
  run: async (run) => {
    const { credentials } = run;
    if (isAccepted(await anonymous(run)) && credentials.isInHandshake) {
      return skipped("No credential is needed (WS-AUTH-1), so that a wrong one says nothing more.");
    }
    const outcome = await run.once("random credential", () =>
      run.shake({ probe: "Random credentials of the same shape", credentials: "random" }),
    );
    const isPlainMessage = !credentials.isInHandshake && run.dialect.name === "websocket";
    if (isAccepted(outcome) && isPlainMessage) {
      return inconclusive(
        "The socket stayed open after a false first message; whether it may do anything cannot be told.",
        [run.evidence(outcome)],
      );
    }
    return judgeOutcomes(run, [outcome], {
      fails: () => "The endpoint let in a client with a made-up credential.",
      passes: "A made-up credential was refused.",
    });
  },
};
