import type { Check } from "../../check.ts";
import { judgeRefusals, probesOf } from "../../judge.ts";
import { evilOrigin } from "./foreign-page.ts";

export const severalOrigins: Check = {
  id: "WS-ORIGIN-8",
  run: (run) => {
    const { origin } = run.own;
    const lists: readonly (readonly [string, readonly string[]])[] = [
      ["Two Origin lines, the own one first", [origin, evilOrigin]],
      ["Two Origin lines, the own one last", [evilOrigin, origin]],
      ["Both in one line", [`${origin}, ${evilOrigin}`]],
      ["A blank between scheme and name", [origin.replace("//", "// ")]],
    ];
    return judgeRefusals(
      run,
      lists.map(([probe, list]) => ({ probe, origin: list })),
      {
        fails: (accepted) => `Such handshakes were let in: ${probesOf(accepted)}.`,
        passes: "Handshakes with two Origins, and with a malformed one, were refused.",
      },
    );
  },
};
