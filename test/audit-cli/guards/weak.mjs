import { guard, insecureAnyOrigin, origin } from "@firmshake/core";

export const open = guard(insecureAnyOrigin());
export const watching = guard({
  mode: "report",
  checks: [origin(["https://app.example.com"])],
});
