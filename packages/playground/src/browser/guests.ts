import type { BrowserAttempt, ChatRequest, GuestAttempt, Heard } from "../protocol.ts";
import { connectTo } from "./libraries/connection.ts";

/** Brings a guest, who stays until somebody closes the connection, and says something now and then. False where nobody is let in. */
export function bringGuest({ library, everyMs, ...destination }: GuestAttempt): Promise<boolean> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setInterval> | undefined;
    const guest = connectTo(library, destination, {
      onEvent: ({ type }) => {
        if (type !== "welcome") return;
        timer = setInterval(() => {
          if (guest.isOpen()) guest.send({ type: "ping" });
        }, everyMs);
        resolve(true);
      },
      onClose: () => {
        clearInterval(timer);
        resolve(false);
      },
    });
  });
}

/** Connects, says it all at once, and tells how it was closed. */
export function sayAtOnce(
  { library, ...destination }: BrowserAttempt,
  requests: readonly ChatRequest[],
): Promise<Heard> {
  return new Promise((resolve) => {
    const connection = connectTo(library, destination, {
      onEvent: ({ type }) => {
        if (type !== "welcome") return;
        for (const request of requests) connection.send(request);
      },
      onClose: resolve,
    });
  });
}
