import { type Check, failed, passed } from "../../check.ts";
import { headerOf } from "../../probe/http-answer.ts";

export const credentialInQuery: Check = {
  id: "WS-AUTH-3",
  needsNoBaseline: true,
  needsNoControl: true,
  run: async (run) => {
    const { secretParameters } = run.credentials;
    // A ticket is meant to be there: it is worth nothing once it has been used.
    const lasting = secretParameters.filter((name) => !/ticket/i.test(name));
    return lasting.length === 0
      ? passed("The URL holds no lasting credential.")
      : failed(`The URL holds a credential, in the parameter ${lasting.join(", ")}.`, [
          {
            probe: "The URL that was given",
            observation: `a credential in the query parameter ${lasting.join(", ")}`,
          },
        ]);
  },
};

export const tokenEchoed: Check = {
  id: "WS-AUTH-4",
  needsNoControl: true,
  skipsBecause: ({ credentials }) =>
    credentials.secretProtocols.length > 0 ? undefined : "No token was given as a subprotocol.",
  run: async (run) => {
    const answered = headerOf(run.baseline().head, "sec-websocket-protocol") ?? "";
    const isEchoed = run.credentials.secretProtocols.some((one) => answered.includes(one));
    const evidence = [run.evidence(run.baseline())];
    return isEchoed
      ? failed("The answer repeats the token in Sec-WebSocket-Protocol.", evidence)
      : passed("The answer does not repeat the token.", evidence);
  },
};
