import { ConfigError, type TlsFacts, trustedProxies } from "@firmshake/core";
import { createHandshake } from "@firmshake/core/gate";
import { inTime, type Outcome, unseen } from "./outcome.ts";
import type { LoadedPolicy } from "./policy.ts";
import { asNodeReads, type FullRequest } from "./request.ts";

/** As many as Node keeps by default. */
const maxHeaderLines = 1_000;

/** Shows the guard a handshake as Node's gate would, without a socket. */
export async function runInProcess(
  load: () => LoadedPolicy,
  request: FullRequest,
): Promise<Outcome> {
  try {
    return await decide(load(), request);
  } catch (error) {
    if (error instanceof ConfigError) return refusedPolicy(error);
    throw error;
  }
}

async function decide(
  { guard, trustProxy, paths }: LoadedPolicy,
  request: FullRequest,
): Promise<Outcome> {
  const handshake = createHandshake(
    {
      method: "GET",
      target: asNodeReads(request.target),
      httpVersion: "1.1",
      headerLines: request.headers.flat().map(asNodeReads),
      maxHeaderLines,
      showsConnectionHeader: true,
      peerAddress: () => request.remoteAddress,
      request: { socket: { getPeerX509Certificate: () => request.certificate } },
      tls: () => (request.isTls ? tlsFactsOf(request) : undefined),
      signal: () => new AbortController().signal,
    },
    trustProxy === undefined ? undefined : trustedProxies(trustProxy),
  );
  const verdict = await inTime(() => guard.decide(handshake));
  const { clientAddress: clientIp } = handshake;
  if (!verdict.ok) return { answer: "deny", code: verdict.refusal.code, clientIp };
  if (paths !== undefined && !paths.includes(handshake.path)) {
    return { answer: "deny", code: "not_found", clientIp };
  }
  return { answer: "allow", code: undefined, clientIp };
}

const tlsFactsOf = ({ isVouchedFor }: FullRequest): TlsFacts => ({
  protocol: "TLSv1.3",
  serverName: undefined,
  isClientAuthorized: isVouchedFor,
});

/** A policy that is not loaded lets nobody in; the report says so, since it may not be what the case means. */
export const refusedPolicy = (error: ConfigError): Outcome => ({
  answer: "deny",
  code: error.code,
  clientIp: unseen,
  note: `the policy was not loaded: ${error.message}`,
});
