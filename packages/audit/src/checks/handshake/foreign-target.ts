import { type Check, failed, passed } from "../../check.ts";
import { withListener } from "../../listener.ts";
import type { Outcome } from "../../probe/outcome.ts";

export const foreignTarget: Check = {
  id: "WS-HS-4",
  skipsBecause: ({ address }) =>
    address.class === "loopback"
      ? undefined
      : "The server would have to reach a listener of the audit, which listens on this machine alone.",
  run: (run) =>
    withListener(undefined, async ({ port, requests }) => {
      const outcomes: Outcome[] = [];
      for (const target of [
        `http://127.0.0.1:${port}/`,
        `//127.0.0.1:${port}/`,
        `/\\127.0.0.1:${port}/`,
      ]) {
        const sketch = { probe: `Target ${target}`, target, isBare: true };
        outcomes.push(await run.shake(sketch));
        outcomes.push(await run.shake({ ...sketch, host: [`127.0.0.1:${port}`] }));
      }
      const evidence = outcomes.map(run.evidence);
      return requests() > 0
        ? failed(
            `The server connected to where the request's target pointed, ${requests()} time(s).`,
            evidence.slice(0, 4),
          )
        : passed("No request arrived where the targets pointed.", evidence.slice(0, 3));
    }),
};
