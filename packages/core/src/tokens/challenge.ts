import type { HeaderLine } from "../decision/decision.ts";

/** The challenge of RFC 6750 §3; the error code only where a token was sent, the scopes where they are what lacks. */
export function challenge(error?: string, scopes?: readonly string[]): readonly HeaderLine[] {
  const parameters = [
    `realm="websocket"`,
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(scopes === undefined ? [] : [`scope="${scopes.join(" ")}"`]),
  ];
  return [["WWW-Authenticate", `Bearer ${parameters.join(", ")}`]];
}
