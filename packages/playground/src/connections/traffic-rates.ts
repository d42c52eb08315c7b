import type { Connection } from "@firmshake/node";
import type { Traffic } from "../protocol.ts";

/** How much comes by the second, over the last few of them. */
export interface TrafficRates {
  /** To be called now and then, with those that are open. */
  readonly measure: (connections: readonly Connection[]) => void;
  readonly of: (connection: Connection) => Traffic;
}

interface Sample extends Traffic {
  /** In milliseconds since whenever. */
  readonly at: number;
}

const maxSamples = 5;

export function createTrafficRates(received: (connection: Connection) => Traffic): TrafficRates {
  const samples = new WeakMap<Connection, readonly Sample[]>();
  return {
    measure: (connections) => {
      const at = performance.now();
      for (const connection of connections) {
        const sample = { ...received(connection), at };
        samples.set(connection, [...(samples.get(connection) ?? []), sample].slice(-maxSamples));
      }
    },
    of: (connection) => {
      const known = samples.get(connection) ?? [];
      const [first, last] = [known[0], known.at(-1)];
      if (first === undefined || last === undefined || first === last) return still;
      const seconds = (last.at - first.at) / 1_000;
      return {
        messages: (last.messages - first.messages) / seconds,
        bytes: (last.bytes - first.bytes) / seconds,
      };
    },
  };
}

const still: Traffic = { messages: 0, bytes: 0 };
