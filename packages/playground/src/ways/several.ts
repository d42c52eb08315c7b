import { any, apiKey, createApiKey, jwt, origin, throttleFailures } from "@firmshake/node";
import { misspelt } from "./api-key.ts";
import type { Act, Sketch, Way } from "./way.ts";

export const several: Way = {
  id: "several",
  title: "Several ways at one door",
  sentence: "For endpoints that different clients share, with failed attempts slowed down.",
  guide: "docs/guide/several-ways.md",
  open: async ({ guard, page, issuer, audience, jwksUri, tokens }) => {
    const { key, id, hash } = await createApiKey({ prefix: "acme" });
    const keys = [{ id, hash, subject: "Billing" }];
    // #region shown
    const limit = 5; // wrong credentials of one address at once
    const policy = guard(
      origin([page], { allowMissing: true }),
      throttleFailures(
        { limit, windowMs: 30_000 },
        any(jwt({ issuer, audience, jwksUri }), apiKey({ keys })),
      ),
    );
    // #endregion
    const withKey = (text: string): Sketch => ({ origin: undefined, lines: [["X-API-Key", text]] });
    const way = (of: Pick<Act, "id" | "label" | "sentence" | "handshakes">): Act => ({
      ...of,
      expected: "accepted",
      sender: "program",
    });
    return {
      guard: policy,
      acts: [
        way({
          id: "by-token",
          label: "Connect with a token",
          sentence: "The first way lets in; the others are not asked.",
          handshakes: async () => {
            const line = ["Authorization", `Bearer ${await tokens.sign("Clock")}`] as const;
            return [{ origin: undefined, lines: [line] }];
          },
        }),
        way({
          id: "by-key",
          label: "Connect with a key",
          sentence: "There is no token, and the second way lets in.",
          handshakes: async () => [withKey(key)],
        }),
        {
          id: "guessing",
          label: "Guess keys",
          sentence: `After ${limit} wrong keys not even the right one is looked at, until some seconds have passed.`,
          expected: "rate_limited",
          sender: "program",
          handshakes: async () => [
            ...Array.from({ length: limit }, () => withKey(misspelt(key))),
            withKey(key),
          ],
        },
      ],
    };
  },
};
