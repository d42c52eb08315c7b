import type { Check } from "../../check.ts";
import { judgeOrigins } from "./foreign-page.ts";

/** Of RFC 5737 and RFC 3849: nobody has them. */
const addresses = ["http://203.0.113.7", "http://[2001:db8::7]"];

export const addressOrigin: Check = {
  id: "WS-ORIGIN-4",
  run: (run) =>
    judgeOrigins(run, addresses, {
      fails: (accepted) =>
        `A page served from an IP address was let in (${accepted.length} of ${addresses.length} addresses).`,
      passes: "Pages served from IP addresses were refused.",
    }),
};
