import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Loopback alone: the playground is nobody else's to play with. */
export const loopback = "127.0.0.1";

/** Which port is asked for; 0 stands for any that is free. */
export interface PortWish {
  readonly port: number;
  /** Whether any other will do where this one is taken. */
  readonly mayMove: boolean;
}

/** Listens on loopback, and says on which port. */
export async function listen(server: Server, { port, mayMove }: PortWish): Promise<number> {
  try {
    server.listen({ port, host: loopback });
    await once(server, "listening");
  } catch (error) {
    if (!mayMove || port === 0) throw error;
    return listen(server, { port: 0, mayMove: false });
  }
  return (server.address() as AddressInfo).port;
}

/** Ends the server and every connection that it has. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
