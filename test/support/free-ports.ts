import { type AddressInfo, Server } from "node:net";
import { vi } from "vitest";

/** The servers that listen where nobody else does, by the port that they asked for. */
export interface FreePorts {
  readonly servers: ReadonlySet<Server>;
  /** The port that the server got instead. */
  readonly insteadOf: (asked: number) => number;
}

/** From now on, until `vi.restoreAllMocks`, every server of this process gets a free port of 127.0.0.1, whatever it asks for. */
export function giveFreePorts(): FreePorts {
  const servers = new Set<Server>();
  const byPort = new Map<unknown, Server>();
  const listen = Server.prototype.listen;
  vi.spyOn(Server.prototype, "listen").mockImplementation(function (
    this: Server,
    ...args: readonly unknown[]
  ) {
    const [first] = args;
    servers.add(this);
    byPort.set(typeof first === "object" ? (first as { port?: unknown }).port : first, this);
    const callback = args.find((argument) => typeof argument === "function");
    return Reflect.apply(listen, this, [0, "127.0.0.1", callback]);
  });
  return {
    servers,
    insteadOf: (asked) => {
      const address = byPort.get(asked)?.address();
      if (!address) throw new Error(`No server listens instead of ${asked}.`);
      return (address as AddressInfo).port;
    },
  };
}
