import { once } from "node:events";
import type { CloseCode } from "@firmshake/node";
import { WebSocket } from "ws";
import { patienceMs } from "../libraries/library.ts";
import type { BrowserAttempt, ChatRequest, Heard, RuleView } from "../protocol.ts";

/** A rule of the guests' guard, and how somebody breaks it. */
export interface Rule extends RuleView {
  readonly expected: CloseCode;
  readonly breakIt: Breaking;
}

type Breaking =
  | { readonly by: "page"; readonly requests: readonly ChatRequest[] }
  /** Pages cannot send pings. */
  | { readonly by: "program"; readonly pings: number };

/** Who breaks them. */
export const ruleBreaker = "Trudy";

export const rules: readonly Rule[] = [
  {
    id: "too-long",
    label: "A message of 4,000 letters",
    expected: "message_too_big",
    breakIt: { by: "page", requests: [{ type: "say", text: "x".repeat(4_000) }] },
  },
  {
    id: "too-fast",
    label: "60 messages at once",
    expected: "message_rate_exceeded",
    breakIt: { by: "page", requests: Array.from({ length: 60 }, () => ({ type: "ping" })) },
  },
  {
    id: "pings",
    label: "60 pings at once",
    expected: "control_rate_exceeded",
    breakIt: { by: "program", pings: 60 },
  },
];

/** Connects by a client that can do it, and tells how it was closed. */
export async function floodWithPings(
  { url, protocols }: Pick<BrowserAttempt, "url" | "protocols">,
  pings: number,
): Promise<Heard> {
  const socket = new WebSocket(url, [...protocols]);
  const signal = AbortSignal.timeout(patienceMs);
  socket.on("error", () => undefined);
  socket.once("open", () => {
    for (let sent = 0; sent < pings; sent++) socket.ping();
  });
  try {
    const [closeCode, reason] = (await once(socket, "close", { signal })) as [number, Buffer];
    return { closeCode, reason: String(reason) };
  } catch {
    return { reason: "not closed" };
  } finally {
    socket.terminate();
  }
}
