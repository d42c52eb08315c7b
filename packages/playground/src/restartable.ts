import type { Server } from "node:http";
import type { Drained, Gate } from "@firmshake/node";
import type { OpenView } from "./protocol.ts";
import { type Application, type ApplicationOptions, serveApplication } from "./server.ts";

/** An application that can be drained, and then be brought back on the same server, as if its process was started anew. */
export interface Restartable {
  readonly start: (options: ApplicationOptions) => Promise<void>;
  readonly gate: () => Gate | undefined;
  readonly state: () => OpenView["state"];
  /** Refuses all handshakes from now on, and closes what is open. */
  readonly drain: () => Promise<Drained>;
  /** False where it was not drained, or is being brought back already. */
  readonly restart: () => Promise<boolean>;
  readonly close: () => void;
}

/** @param onChange - Is told when the state is another one. */
export function createRestartable(server: Server, onChange: () => void): Restartable {
  const takeListenersOff = listenerRemover(server);
  let options: ApplicationOptions | undefined;
  let application: Application | undefined;
  let state: OpenView["state"] = "open";
  let isRestarting = false;

  function become(next: OpenView["state"]): void {
    state = next;
    onChange();
  }

  async function start(given: ApplicationOptions): Promise<void> {
    options = given;
    application = await serveApplication(server, given);
  }

  return {
    start,
    gate: () => application?.gate,
    state: () => state,
    drain: async () => {
      const gate = application?.gate;
      if (gate === undefined) return nothing;
      if (state === "open") become("draining");
      const drained = await gate.drain();
      if (state === "draining") become("drained");
      return drained;
    },
    restart: async () => {
      if (state !== "drained" || isRestarting || options === undefined) return false;
      isRestarting = true;
      try {
        application?.close();
        application?.gate?.detach();
        takeListenersOff();
        await start(options);
      } finally {
        isRestarting = false;
      }
      become("open");
      return true;
    },
    close: () => application?.close(),
  };
}

/** Frameworks and libraries leave some behind. What the server has by now stays. */
function listenerRemover(server: Server): () => void {
  const own = new Set(server.eventNames().flatMap((name) => server.rawListeners(name)));
  return () => {
    for (const name of server.eventNames()) {
      for (const listener of server.rawListeners(name)) {
        if (!own.has(listener)) server.off(name, listener as () => void);
      }
    }
  };
}

const nothing: Drained = { open: 0, closed: 0, terminated: 0 };
