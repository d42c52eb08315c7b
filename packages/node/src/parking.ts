import type { Handshake } from "@firmshake/core";
import { clientKey, forwardedOf } from "@firmshake/core/gate";

/** The handshakes that wait for a decision, bounded in all and for each address. */
export interface Parking {
  readonly size: number;
  /** Whether one more may wait. Cheap while nobody does. */
  readonly hasRoomFor: (handshake: Handshake) => boolean;
  /** Takes a place; the answer gives it back. */
  readonly enter: (handshake: Handshake) => () => void;
}

export function parking(maxPending: number, maxPendingPerAddress: number): Parking {
  const byAddress = new Map<string, number>();
  let size = 0;
  return {
    get size() {
      return size;
    },
    hasRoomFor: (handshake) =>
      size === 0 ||
      (size < maxPending && (byAddress.get(keyOf(handshake)) ?? 0) < maxPendingPerAddress),
    enter: (handshake) => {
      const key = keyOf(handshake);
      size++;
      byAddress.set(key, (byAddress.get(key) ?? 0) + 1);
      return () => {
        size--;
        const left = (byAddress.get(key) ?? 1) - 1;
        if (left === 0) byAddress.delete(key);
        else byAddress.set(key, left);
      };
    },
  };
}

function keyOf(handshake: Handshake): string {
  const { address } = forwardedOf(handshake);
  return address === undefined ? "unknown" : clientKey(address);
}
