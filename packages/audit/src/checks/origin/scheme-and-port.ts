import type { Check } from "../../check.ts";
import { probesOf } from "../../judge.ts";
import { judgeOrigins } from "./foreign-page.ts";
import { ownOriginOf } from "./own-origin.ts";

export const schemeAndPort: Check = {
  id: "WS-ORIGIN-5",
  run: (run) => {
    const { scheme, hostname, port } = ownOriginOf(run);
    const other = scheme === "https" ? "http" : "https";
    const origins = [`${other}://${hostname}${port}`, `${scheme}://${hostname}:4`];
    return judgeOrigins(run, origins, {
      fails: (accepted) => `The name was right, scheme or port were not: ${probesOf(accepted)}.`,
      passes: "Pages of the own name with another scheme or port were refused.",
    });
  },
};
