import type { FrameRules } from "./frame-rules.ts";

/** Windows of 4 KiB: what one connection's compression may keep. */
const windowBits = 12;

/**
 * What of the offered extensions (RFC 6455 §9.1) the library may see.
 *
 * @returns undefined for none of them.
 */
export function offerableExtensions(
  offered: string,
  compression: FrameRules["compression"],
): string | undefined {
  if (compression === "allow") return offered;
  if (compression === "off") return undefined;
  for (const offer of offered.split(",")) {
    const [name, ...parameters] = offer.split(";").map((part) => part.trim().toLowerCase());
    if (name !== "permessage-deflate") continue;
    const bitsOf = (parameter: string): number | undefined => {
      const found = parameters.find((one) => one.split("=")[0]?.trim() === parameter);
      if (found === undefined) return undefined;
      const [, bits = String(windowBits)] = /=\s*"?(\d+)"?$/.exec(found) ?? [];
      return Math.min(Number(bits), windowBits);
    };
    // RFC 7692 §7.1: an answer may agree to all of these, the last only where the client has spoken of it.
    const clientBits = bitsOf("client_max_window_bits");
    return [
      "permessage-deflate",
      "server_no_context_takeover",
      "client_no_context_takeover",
      `server_max_window_bits=${bitsOf("server_max_window_bits") ?? windowBits}`,
      ...(clientBits === undefined ? [] : [`client_max_window_bits=${clientBits}`]),
    ].join("; ");
  }
  return undefined;
}
