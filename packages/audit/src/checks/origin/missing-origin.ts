import type { Check } from "../../check.ts";
import { judgeRefusals } from "../../judge.ts";
import { hasSecretCredential } from "./foreign-page.ts";

export const missingOrigin: Check = {
  id: "WS-ORIGIN-3",
  run: (run) => {
    const isCookieAlone = run.credentials.isAmbient && !hasSecretCredential(run);
    return judgeRefusals(run, [{ probe: "No Origin", origin: [] }], {
      fails: () =>
        isCookieAlone
          ? "A handshake without Origin was let in, by nothing but cookies: what strips the header strips the protection."
          : "A handshake without Origin was let in. Browsers always send one; other clients do not.",
      passes: "A handshake without Origin was refused.",
      severity: isCookieAlone ? "medium" : "info",
    });
  },
};
