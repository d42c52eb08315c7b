import { isIP } from "node:net";
import {
  checkServerIdentity,
  connect,
  type PeerCertificate,
  type SecureVersion,
  type TLSSocket,
} from "node:tls";
import { type Check, type Conclusion, failed, inconclusive, passed } from "../../check.ts";
import type { Evidence } from "../../report.ts";
import type { Run } from "../../run.ts";

/** Renewals take place earlier than that. */
const fewDays = 14;
const oldVersions = ["TLSv1", "TLSv1.1"] as const;

export const certificate: Check = {
  id: "WS-TLS-2",
  needsNoBaseline: true,
  needsNoControl: true,
  looksElsewhere: () => true,
  skipsBecause: ({ target }) => (target.isTls ? undefined : "The target is plain ws."),
  run: async (run) => {
    const seen = await look(run, {});
    if (seen === undefined) return withoutSession(run);
    const { chainError, peer, protocol } = seen;
    const faults: Evidence[] = [];
    const note = (probe: string, observation: string): void => {
      faults.push({ probe, observation: run.mask.text(observation) });
    };
    if (chainError !== undefined) note("Certificate chain", `it is not trusted: ${chainError}`);
    const nameError = checkServerIdentity(run.route.hostname, peer);
    if (nameError !== undefined) note("Certificate names", nameError.message);
    const days = Math.floor((Date.parse(peer.valid_to) - Date.now()) / 86_400_000);
    if (days < 0) note("Certificate validity", `it expired on ${peer.valid_to}`);
    else if (days < fewDays) note("Certificate validity", `it expires in ${days} days`);
    for (const version of await oldVersionsOf(run)) note("TLS versions", `${version} is spoken`);
    const evidence: Evidence = {
      probe: "TLS handshake",
      observation: `${protocol}, valid for ${days} more days`,
    };
    if (faults.length === 0) {
      return passed("The chain, the names, the validity and the versions are in order.", [
        evidence,
      ]);
    }
    const isTrustAlone = faults.every(({ probe }) => probe === "Certificate chain");
    return failed(
      faults.map(({ probe, observation }) => `${probe}: ${observation}.`).join(" "),
      [evidence, ...faults],
      // What runs on this machine is often signed by itself; nobody is between.
      isTrustAlone && run.address.class === "loopback" ? "info" : undefined,
    );
  },
};

/** Where nothing newer is spoken, the audit's own client does not get in. */
async function withoutSession(run: Run): Promise<Conclusion> {
  const spoken = await oldVersionsOf(run);
  return spoken.length === 0
    ? inconclusive("No TLS session came about.")
    : failed(
        "TLS versions: nothing newer than TLSv1.1 is spoken.",
        spoken.map((version) => ({
          probe: "TLS versions",
          observation: `${version} is spoken, TLSv1.2 and newer are not`,
        })),
      );
}

async function oldVersionsOf(run: Run): Promise<readonly SecureVersion[]> {
  const spoken: SecureVersion[] = [];
  for (const version of oldVersions) {
    const session = await look(run, { minVersion: version, maxVersion: version });
    if (session !== undefined) spoken.push(version);
  }
  return spoken;
}

interface Seen {
  readonly chainError: string | undefined;
  readonly peer: PeerCertificate;
  readonly protocol: string;
}

function look(
  { route, budget, limits, options }: Run,
  versions: { readonly minVersion?: SecureVersion; readonly maxVersion?: SecureVersion },
): Promise<Seen | undefined> {
  budget.spendHandshake();
  return new Promise((resolve) => {
    const settle = (seen: Seen | undefined): void => {
      socket.destroy();
      resolve(seen);
    };
    const socket: TLSSocket = connect({
      host: route.address,
      port: route.port,
      rejectUnauthorized: false,
      timeout: limits.answerMs,
      ...(isIP(route.hostname) === 0 && { servername: route.hostname }),
      ...(options.certificateAuthorities !== undefined && { ca: options.certificateAuthorities }),
      // OpenSSL speaks the old versions at its lowest level of security alone.
      ...(versions.maxVersion !== undefined && { ciphers: "DEFAULT:@SECLEVEL=0" }),
      ...versions,
    });
    socket.on("error", () => settle(undefined));
    socket.on("timeout", () => settle(undefined));
    budget.signal.addEventListener("abort", () => settle(undefined), { once: true });
    socket.once("secureConnect", () =>
      settle({
        chainError: socket.authorized ? undefined : String(socket.authorizationError),
        peer: socket.getPeerCertificate(),
        protocol: socket.getProtocol() ?? "TLS",
      }),
    );
  });
}
