import type { Check } from "../../check.ts";
import { evilOrigin, judgeOrigins } from "./foreign-page.ts";

export const anyOrigin: Check = {
  id: "WS-ORIGIN-1",
  run: (run) => {
    const { isAmbient } = run.credentials;
    const isLoopback = run.address.class === "loopback";
    const because = isAmbient
      ? "with the user's cookies, so that any page a user visits acts as that user"
      : isLoopback
        ? "on this machine, so that any page opened in a browser here can talk to it"
        : "without any credential";
    return judgeOrigins(run, [evilOrigin], {
      fails: () => `A page of ${evilOrigin} was let in ${because}.`,
      passes: `A page of ${evilOrigin} was refused.`,
      severity: isAmbient || isLoopback ? "critical" : "high",
    });
  },
};
