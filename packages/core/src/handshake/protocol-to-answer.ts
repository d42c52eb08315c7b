import { subprotocolToken } from "../tokens/subprotocol-token.ts";
import { type Handshake, progressOf } from "./handshake.ts";

/**
 * The offered subprotocol that a refused handshake may be answered, if its opening has to be completed: what was agreed on, else the first
 * that holds no token. A check that knew of a token there need not have run, so every form of them is looked for, and whatever is longer
 * than names are counts as one.
 */
export function protocolToAnswer(handshake: Handshake): string | undefined {
  if (handshake.protocols.length === 0) return undefined;
  // Withholds what it finds.
  everyForm.read(handshake);
  const { agreed = [], withheld } = progressOf(handshake);
  return [...agreed, ...handshake.protocols].find(
    (name) => name.length <= maxNameLength && !withheld.has(name),
  );
}

const everyForm = subprotocolToken();
const maxNameLength = 64;
