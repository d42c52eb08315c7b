import { guard, jwt, origin } from "@firmshake/core";

export const chat = guard({
  label: "the chat",
  checks: [
    origin(["https://app.example.com"]),
    jwt({
      issuer: "https://id.example.com",
      audience: "chat",
      keys: new TextEncoder().encode("only for tests: 32 bytes or more"),
    }),
  ],
});
