import type { Check } from "../../check.ts";
import { judgeOrigins } from "./foreign-page.ts";

export const opaqueOrigin: Check = {
  id: "WS-ORIGIN-2",
  run: (run) =>
    judgeOrigins(run, ["null"], {
      fails: () => "Origin: null was let in, which every page can send from a sandboxed frame.",
      passes: "Origin: null was refused.",
    }),
};
