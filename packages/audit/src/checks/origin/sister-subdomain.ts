import { randomBytes } from "node:crypto";
import type { Check } from "../../check.ts";
import { probesOf } from "../../judge.ts";
import { judgeOrigins } from "./foreign-page.ts";
import { ownOriginOf } from "./own-origin.ts";

export const sisterSubdomain: Check = {
  id: "WS-ORIGIN-6",
  skipsBecause: (run) =>
    ownOriginOf(run).isName ? undefined : "The origin is an address, which has no subdomains.",
  run: (run) => {
    const { scheme, hostname, port, labels } = ownOriginOf(run);
    const random = `x-${randomBytes(4).toString("hex")}`;
    const parent = labels.slice(1).join(".");
    const names = [`${random}.${hostname}`, ...(labels.length > 2 ? [`${random}.${parent}`] : [])];
    return judgeOrigins(
      run,
      names.map((name) => `${scheme}://${name}${port}`),
      {
        fails: (accepted) => `Subdomains that do not exist were let in: ${probesOf(accepted)}.`,
        passes: "Pages of made-up subdomains were refused.",
      },
    );
  },
};
