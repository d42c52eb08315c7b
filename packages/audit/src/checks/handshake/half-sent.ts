import { type Check, failed, passed } from "../../check.ts";
import { openWire } from "../../probe/wire.ts";
import { needsTime, secondsOf, waitMsOf } from "../lifetime/waiting.ts";

export const halfSent: Check = {
  id: "WS-HS-9",
  skipsBecause: needsTime,
  run: async (run) => {
    const waitMs = waitMsOf(run);
    const wire = await openWire(run.route, run.budget, run.limits.answerMs);
    try {
      wire.send(
        `GET ${run.credentials.dress("none").path} HTTP/1.1\r\nHost: ${run.own.host}\r\nUpg`,
      );
      run.notify({ type: "waiting", forMs: waitMs, reason: "Half a handshake was sent." });
      const began = performance.now();
      await wire.wait(() => undefined, waitMs);
      const observation = wire.isEnded()
        ? `closed after ${secondsOf(performance.now() - began)}`
        : `still open after ${secondsOf(waitMs)}`;
      const evidence = [{ probe: "Half a request head", observation }];
      return wire.isEnded()
        ? passed("The server gave up on half a handshake.", evidence)
        : failed(`Half a handshake was kept for ${secondsOf(waitMs)}.`, evidence);
    } finally {
      await wire.close();
    }
  },
};
