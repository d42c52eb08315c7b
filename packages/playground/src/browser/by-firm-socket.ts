import type { SocketCloseEvent, SocketReconnectingEvent } from "@firmshake/client";
import type { WayAttempt } from "../protocol.ts";
import type { Tried } from "./attempt.ts";

/** The package as it is published; no page loads it before somebody asks for it. */
const client = "/scripts/firmshake-client/index.js";

/** Connects by `@firmshake/client`, and tells what it makes of the answer. */
export async function tryByFirmSocket({ url, protocols }: WayAttempt): Promise<Tried> {
  const { FirmSocket } = (await import(client)) as typeof import("@firmshake/client");
  const [, held, ...offered] = protocols;
  const askForToken = (): string | undefined => held;
  return new Promise((resolve) => {
    const settle = (tried: Tried): void => {
      resolve(tried);
      socket.close();
    };
    const onOpen = (): void => settle({ isOpen: true });
    const onRefused = ({ code, reason }: SocketCloseEvent): void =>
      settle({ isOpen: false, closeCode: code, reason });
    const onRetry = ({ code, reason, delayMs }: SocketReconnectingEvent): void => {
      const next = `The client comes again in ${(delayMs / 1_000).toFixed(1)} s.`;
      settle({ isOpen: false, closeCode: code, reason, next });
    };
    // #region shown
    // In the page
    const socket = new FirmSocket(url, offered, { token: askForToken });
    socket.addEventListener("message", onOpen);
    socket.addEventListener("close", onRefused); // for good
    socket.addEventListener("reconnecting", onRetry); // { code, reason, delayMs }
    // #endregion
  });
}
