import type { Check } from "../../check.ts";
import { probesOf } from "../../judge.ts";
import { judgeOrigins } from "./foreign-page.ts";
import { type OwnOrigin, ownOriginOf } from "./own-origin.ts";

export const lookAlike: Check = {
  id: "WS-ORIGIN-7",
  run: (run) =>
    judgeOrigins(run, lookAlikes(ownOriginOf(run)), {
      fails: (accepted) => `Origins that hold the own name were let in: ${probesOf(accepted)}.`,
      passes: "Origins that hold the own name in another place were refused.",
    }),
};

/** What comparisons by prefix, by suffix, by pattern or by a part of the text take for the own origin. */
function lookAlikes({ scheme, hostname, port, isName, labels }: OwnOrigin): readonly string[] {
  const written = `${scheme}://${hostname}`;
  const forms = [
    `${written}.evil.example${port}`,
    `${written}-evil.example${port}`,
    `${written}${port}@evil.example`,
    `${written}\`.evil.example${port}`,
    `${written}$.evil.example${port}`,
  ];
  if (!isName) return [...new Set(forms)];
  const [first = "", ...rest] = labels;
  const parent = rest.join(".");
  const asSuffix = labels.length > 2 ? `${first}.evil${parent}` : `evil${hostname}`;
  const withoutDot = labels.length > 2 ? `${first}x${parent}` : hostname.replace(".", "x");
  return [
    ...new Set([
      ...forms,
      `${scheme}://${asSuffix}${port}`,
      ...(withoutDot === hostname ? [] : [`${scheme}://${withoutDot}${port}`]),
    ]),
  ];
}
