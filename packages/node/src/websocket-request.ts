/**
 * Whether the header lines ask for an upgrade to WebSocket, in whatever company and spelling. Lists such as `h2c, websocket` count, so
 * that no library can take for a handshake what was not checked as one.
 */
export function asksForWebSocket(headerLines: readonly string[]): boolean {
  for (let at = 0; at + 1 < headerLines.length; at += 2) {
    const name = headerLines[at] as string;
    if (name.length === 7 && name.toLowerCase() === "upgrade") {
      if ((headerLines[at + 1] as string).toLowerCase().includes("websocket")) return true;
    }
  }
  return false;
}
