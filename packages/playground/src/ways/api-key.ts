import { apiKey, createApiKey, insecureAnyOrigin } from "@firmshake/node";
import { connect, type Sketch, type Way } from "./way.ts";

export const apiKeyWay: Way = {
  id: "api-key",
  title: "An API key",
  sentence: "For programs of customers, without an OAuth server.",
  guide: "docs/guide/api-keys.md",
  open: async ({ guard }) => {
    // #region shown
    const { key, id, hash } = await createApiKey({ prefix: "acme" });
    const policy = guard(
      insecureAnyOrigin(), // no browser sends a key by itself
      apiKey({ keys: [{ id, hash, subject: "Billing" }] }),
    );
    // #endregion
    const other = await createApiKey({ prefix: "acme" });
    const sent = (text: string): readonly Sketch[] => [
      { origin: undefined, lines: [["X-API-Key", text]] },
    ];
    return {
      guard: policy,
      acts: [
        connect({
          sentence: "The server keeps a hash, and compares.",
          sender: "program",
          handshakes: async () => sent(key),
        }),
        {
          id: "misspelt",
          label: "One letter changed",
          sentence: "The right id, and a secret that is off by one letter.",
          expected: "token_invalid",
          sender: "program",
          handshakes: async () => sent(misspelt(key)),
        },
        {
          id: "unknown",
          label: "Unknown key",
          sentence: "Of the right form, and nobody’s.",
          expected: "token_invalid",
          sender: "program",
          handshakes: async () => sent(other.key),
        },
      ],
    };
  },
};

/** Still of the right form: the secret is hexadecimal. */
export const misspelt = (key: string): string => key.slice(0, -1) + (key.endsWith("a") ? "b" : "a");
