import type { Outcome } from "../probe/outcome.ts";

/** What Engine.IO, Socket.IO and GraphQL say to everybody before they know who it is. */
const isProtocolOpening = (message: string): boolean =>
  /^0\{.*"sid"/.test(message) ||
  /^4[04](?:\{.*\})?$/.test(message) ||
  /"type"\s*:\s*"connection_(?:ack|error)"/.test(message);

const isComplaint = (message: string): boolean =>
  /error|denied|invalid|forbid|unauth|not allowed|refused|rejected/i.test(message);

/** The messages of an outcome that are neither the protocol's opening nor a refusal in words. */
export const dataIn = ({ kind, messages }: Outcome): readonly string[] =>
  messages.filter(
    (message) =>
      !isProtocolOpening(message) &&
      !((kind === "closed-after-101" || kind === "refused-by-message") && isComplaint(message)),
  );
