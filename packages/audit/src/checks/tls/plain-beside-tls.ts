import { type Check, failed, passed } from "../../check.ts";
import { judgeOutcomes } from "../../judge.ts";
import { isAccepted, isRefusal, type Outcome } from "../../probe/outcome.ts";
import type { Sketch } from "../../probe/request.ts";
import type { Route } from "../../probe/wire.ts";
import type { Run } from "../../run.ts";

const plainRoute = ({ route, options }: Run): Route => ({
  ...route,
  isTls: false,
  port: options.plainPort ?? 80,
});

const plainSketch = (run: Run): Sketch => {
  const route = plainRoute(run);
  const host = new URL(`http://${run.target.url.hostname}:${route.port}`).host;
  return { probe: `ws:// at port ${route.port}`, route, host: [host] };
};

const plainOutcome = (run: Run): Promise<Outcome> =>
  run.once("plain", () => run.shake(plainSketch(run)));

export const plainBesideTls: Check = {
  id: "WS-TLS-1",
  looksElsewhere: ({ target }) => target.isTls,
  run: async (run) => {
    if (!run.target.isTls) {
      const evidence = [run.evidence(run.baseline())];
      return run.address.class === "loopback"
        ? passed("The target is plain ws, on this machine alone.", evidence)
        : failed("The endpoint itself is served without TLS.", evidence);
    }
    const outcome = await plainOutcome(run);
    if (outcome.kind === "unreachable") {
      return passed("Nothing listens for plain ws at that port.", [run.evidence(outcome)]);
    }
    return judgeOutcomes(run, [outcome], {
      fails: () =>
        run.baseline().kind === "unreachable"
          ? "The host takes WebSockets without TLS, and none with it."
          : "The same host takes WebSockets without TLS as well.",
      passes: "Plain ws was refused.",
    });
  },
};

const spoofedHeaders = [
  ["X-Forwarded-Proto", "https"],
  ["X-Forwarded-Proto", "wss"],
  ["Forwarded", "proto=https"],
  ["X-Forwarded-Ssl", "on"],
  ["X-Forwarded-Scheme", "https"],
] as const;

export const spoofedTls: Check = {
  id: "WS-TLS-3",
  needsNoBaseline: true,
  needsNoControl: true,
  looksElsewhere: ({ target }) => target.isTls,
  run: async (run) => {
    const plain = run.target.isTls ? await plainOutcome(run) : run.baseline();
    const base = run.target.isTls ? plainSketch(run) : undefined;
    if (isAccepted(plain)) {
      return {
        verdict: "skipped",
        reason:
          "Plain ws is accepted anyway: there is no demand for TLS that a header could turn off.",
        evidence: [],
      };
    }
    if (!isRefusal(plain)) {
      return passed("Nothing is served without TLS.", [run.evidence(plain)]);
    }
    const outcomes: Outcome[] = [];
    for (const line of spoofedHeaders) {
      const probe = `Plain ws with ${line[0]}: ${line[1]}`;
      outcomes.push(await run.shake({ ...base, probe, lines: [line] }));
    }
    return judgeOutcomes(run, outcomes, {
      fails: ([first]) =>
        `Plain ws was refused, and let in once the header said otherwise: ${first?.probe}.`,
      passes: "Plain ws was refused, whatever the forwarding headers said.",
    });
  },
};
