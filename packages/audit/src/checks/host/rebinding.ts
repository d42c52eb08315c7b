import type { Check } from "../../check.ts";
import { judgeRefusals, probesOf } from "../../judge.ts";
import type { Sketch } from "../../probe/request.ts";
import type { Severity } from "../../report.ts";
import type { Run } from "../../run.ts";

/** By rebinding a page comes from the name that it connects to, and has no cookies of the real one. */
const asHost = (run: Run, hostname: string): Sketch => {
  const host = run.target.url.port === "" ? hostname : `${hostname}:${run.target.port}`;
  const origin = `${run.target.isTls ? "https" : "http"}://${host}`;
  return {
    probe: `Host: ${host} and Origin: ${origin}`,
    host: [host],
    origin: [origin],
    credentials: "none",
  };
};

/** Certificates stop rebinding: the browser would not believe the attacker's name. */
function severityOf(run: Run, near: Severity, far: Severity): Severity {
  return run.target.isTls ? "info" : run.address.class === "public" ? far : near;
}

export const foreignHost: Check = {
  id: "WS-HOST-1",
  run: (run) =>
    judgeRefusals(run, [asHost(run, "evil.example")], {
      fails: () =>
        "A page of evil.example was let in under that name, as it happens when the name is made to resolve to this address.",
      passes: "A foreign name was refused.",
      severity: severityOf(run, "high", "low"),
    }),
};

/** What Node's inspector once let through. */
const oddHosts = ["10.0.2.555", "1.09.0.0", "localhost6"];

export const oddHost: Check = {
  id: "WS-HOST-2",
  run: (run) =>
    judgeRefusals(
      run,
      oddHosts.map((host) => asHost(run, host)),
      {
        fails: (accepted) => `Names that are no addresses were let in: ${probesOf(accepted)}.`,
        passes: "Names that only look like addresses were refused.",
        severity: severityOf(run, run.address.class === "loopback" ? "medium" : "low", "info"),
      },
    ),
};

export const severalHosts: Check = {
  id: "WS-HOST-3",
  run: (run) =>
    judgeRefusals(
      run,
      [
        { probe: "Two Host lines, the own one first", host: [run.own.host, "evil.example"] },
        { probe: "Two Host lines, the own one last", host: ["evil.example", run.own.host] },
        { probe: "No Host line", host: [] },
      ],
      {
        fails: (accepted) => `Such handshakes were let in: ${probesOf(accepted)}.`,
        passes: "Handshakes with two Hosts and with none were refused.",
      },
    ),
};
