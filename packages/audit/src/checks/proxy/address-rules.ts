import type { Check } from "../../check.ts";
import type { Line } from "../../credentials.ts";
import { judgeRefusals } from "../../judge.ts";

const headers = ["X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"];
const addresses = ["127.0.0.1", "10.0.0.1", "::1"];

const lines: readonly Line[] = headers.flatMap((name) =>
  addresses.map((address): Line => {
    const node = address.includes(":") ? `"[${address}]"` : address;
    return [name, name === "Forwarded" ? `for=${node}` : address];
  }),
);

export const addressRules: Check = {
  id: "WS-PROXY-2",
  needsNoBaseline: true,
  needsNoControl: true,
  skipsBecause: (run) =>
    run.baseline().kind === "refused-by-http" && run.baseline().head?.status === 403
      ? undefined
      : "The user's own handshake was not refused by 403, so that there is no address rule to get around.",
  run: (run) =>
    judgeRefusals(
      run,
      lines.map((line) => ({ probe: `${line[0]}: ${line[1]}`, lines: [line] })),
      {
        fails: ([first]) => `The client was refused, and let in with ${first?.probe}.`,
        passes: "The client was refused, whatever the forwarding headers said.",
      },
    ),
};
