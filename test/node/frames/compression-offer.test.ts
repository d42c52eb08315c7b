import { describe, expect, it } from "vitest";
import { offerableExtensions } from "../../../packages/node/src/frames/compression-offer.ts";

const bounded = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

describe("of what a client offers, the library sees", () => {
  it.each<[string, "off" | "bounded" | "allow", string | undefined]>([
    ["permessage-deflate", "off", undefined],
    ["permessage-deflate; x=1, other", "allow", "permessage-deflate; x=1, other"],
    ["permessage-deflate", "bounded", `${bounded}; server_max_window_bits=12`],
    [
      "permessage-deflate; client_max_window_bits",
      "bounded",
      `${bounded}; server_max_window_bits=12; client_max_window_bits=12`,
    ],
    [
      "permessage-deflate; client_max_window_bits=15; server_max_window_bits=15",
      "bounded",
      `${bounded}; server_max_window_bits=12; client_max_window_bits=12`,
    ],
    [
      `permessage-deflate; client_max_window_bits="10"; server_max_window_bits=9`,
      "bounded",
      `${bounded}; server_max_window_bits=9; client_max_window_bits=10`,
    ],
    ["other; x=1, Permessage-Deflate", "bounded", `${bounded}; server_max_window_bits=12`],
    ["other", "bounded", undefined],
    ["", "bounded", undefined],
  ])("%s where compression is %s: %s", (offered, compression, seen) => {
    expect(offerableExtensions(offered, compression)).toBe(seen);
  });
});
