import type { ChatEvent, WayAttempt } from "../protocol.ts";
import type { Tried } from "./attempt.ts";

/** Says who it is once the WebSocket is open, and nothing before it is welcomed. Says nothing at all where there is nothing to say. */
export function tryByFirstMessage({ url, protocols, firstMessage }: WayAttempt): Promise<Tried> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, [...protocols]);
    socket.addEventListener("open", () => {
      if (firstMessage !== undefined) socket.send(firstMessage);
    });
    socket.addEventListener("message", ({ data }) => {
      const event = JSON.parse(String(data)) as ChatEvent;
      if (event.type !== "welcome") return;
      resolve({ isOpen: true, name: event.name });
      socket.close();
    });
    socket.addEventListener("close", ({ code, reason }) =>
      resolve({ isOpen: false, closeCode: code, reason }),
    );
  });
}
