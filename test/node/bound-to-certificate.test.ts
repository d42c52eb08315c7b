import { X509Certificate } from "node:crypto";
import { createServer as createPlainServer } from "node:http";
import { createServer } from "node:https";
import {
  all,
  allow,
  any,
  type BoundToCertificateOptions,
  boundToCertificate,
  clientCertificate,
  type DecisionEvent,
  type GateOptions,
  guard,
  insecureAnyOrigin,
  jwt,
  origin,
  when,
} from "@firmshake/node";
import { beforeAll, describe, expect, it } from "vitest";
import { audience, claims, issuer, secret, tokenOf } from "../core/tokens/signing.ts";
import { type KeyAndCertificate, makeAuthority, makeCertificate } from "../support/certificate.ts";
import { askedOf, handshakeOf, thrownBy } from "../support/handshakes.ts";
import { answerTo, askFor, headOf, openSession, secureOfferingServer } from "../support/http2.ts";
import { answerIn, dial, handshakeText } from "../support/raw-client.ts";
import { gatedServer, gatedWs } from "../support/server.ts";

let server: KeyAndCertificate;
let mine: KeyAndCertificate;
let others: KeyAndCertificate;

beforeAll(async () => {
  const authority = await makeAuthority();
  [server, mine, others] = await Promise.all([
    makeCertificate(),
    authority.issue(),
    authority.issue(),
  ]);
});

const thumbprintOf = ({ cert }: KeyAndCertificate): string =>
  Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(":", ""), "hex").toString(
    "base64url",
  );
const boundTo = (certificate: KeyAndCertificate): object => ({
  cnf: { "x5t#S256": thumbprintOf(certificate) },
});
const policyOf = (options?: BoundToCertificateOptions, cache?: { maxTokens: number }) =>
  guard(
    insecureAnyOrigin(),
    boundToCertificate(options),
    jwt({ issuer, audience, keys: secret, certificateBound: true, ...(cache && { cache }) }),
  );
const asking = { requestCert: true, rejectUnauthorized: false };
const bearer = async (more: object): Promise<{ Authorization: string }> => ({
  Authorization: `Bearer ${await tokenOf(claims({ ...more }))}`,
});

interface Outcome {
  readonly status: number;
  readonly challenge: string | undefined;
  readonly reason: string | undefined;
}

const passed: Outcome = { status: 101, challenge: undefined, reason: undefined };
const refused = (reason: string): Outcome => ({
  status: 401,
  challenge: 'Bearer realm="websocket", error="invalid_token"',
  reason: `boundToCertificate: ${reason}`,
});
const unbound = refused("the token has no cnf x5t#S256");
const another = refused("bound to another certificate");

async function outcome(
  cnf: object,
  certificate: KeyAndCertificate | undefined,
  {
    isTls = true,
    gate = {},
    options = {},
    header,
  }: {
    readonly isTls?: boolean;
    readonly gate?: GateOptions;
    readonly options?: BoundToCertificateOptions;
    readonly header?: string;
  } = {},
): Promise<Outcome> {
  const events: DecisionEvent[] = [];
  const { port } = await gatedServer(
    policyOf(options),
    { ...gate, onDecision: (event) => events.push(event) },
    isTls ? createServer({ ...server, ...asking }) : createPlainServer(),
  );
  const client = await dial(port, { isTls, certificate });
  client.send(handshakeText({ headers: { ...(await bearer(cnf)), "Client-Cert": header } }));
  const { status, headers } = answerIn(await client.until("\r\n\r\n"));
  return { status, challenge: headers["www-authenticate"], reason: events[0]?.reason };
}

describe("a certificate-bound token", () => {
  it("passes with its certificate, whoever vouches for that", async () => {
    expect(await outcome(boundTo(mine), mine)).toEqual(passed);
    const selfSigned = await makeCertificate();
    expect(await outcome(boundTo(selfSigned), selfSigned)).toEqual(passed);
  });

  it("is refused with another certificate", async () => {
    expect(await outcome(boundTo(mine), others)).toEqual(another);
  });

  it("is refused without a certificate, and without TLS", async () => {
    expect(await outcome(boundTo(mine), undefined)).toEqual(refused("no certificate"));
    expect(await outcome(boundTo(mine), undefined, { isTls: false })).toEqual(
      refused("no certificate"),
    );
  });

  it.each<[string, object, Outcome]>([
    ["no cnf", {}, unbound],
    ["a cnf that is null", { cnf: null }, unbound],
    ["a cnf that is text", { cnf: "x5t#S256" }, unbound],
    ["another confirmation", { cnf: { jkt: "a" } }, unbound],
    ["a thumbprint that is a list", { cnf: { "x5t#S256": ["a"] } }, unbound],
    ["an empty thumbprint", { cnf: { "x5t#S256": "" } }, another],
    ["a thumbprint that goes on", { cnf: { "x5t#S256": "A".repeat(44) } }, another],
    ["a thumbprint of as many bytes", { cnf: { "x5t#S256": "A".repeat(43) } }, another],
  ])("is refused with %s", async (_, cnf, expected) => {
    expect(await outcome(cnf, mine)).toEqual(expected);
  });

  it("is looked at each time, though it is remembered", async () => {
    const { port } = await gatedServer(
      policyOf({}, { maxTokens: 10 }),
      {},
      createServer({ ...server, ...asking }),
    );
    const headers = await bearer(boundTo(mine));
    const statuses: number[] = [];
    for (const certificate of [mine, mine, others, undefined]) {
      const client = await dial(port, { isTls: true, certificate });
      client.send(handshakeText({ headers }));
      statuses.push(answerIn(await client.until("\r\n\r\n")).status);
    }
    expect(statuses).toEqual([101, 101, 401, 401]);
  });

  it("passes over HTTP/2 with the certificate of the connection alone", async () => {
    const { port } = await gatedWs(policyOf(), {}, await secureOfferingServer({}, asking));
    const { Authorization: authorization } = await bearer(boundTo(mine));
    const good = await openSession(port, { isTls: true, clientCertificate: mine });
    expect((await headOf(askFor(good, { authorization })))[":status"]).toBe(200);
    const bad = await openSession(port, { isTls: true, clientCertificate: others });
    expect((await answerTo(askFor(bad, { authorization }))).status).toBe(401);
  });

  it("passes with the header of a trusted proxy, where that is asked for", async () => {
    const header = `:${new X509Certificate(mine.cert).raw.toString("base64")}:`;
    const options = { from: "client-cert-header" } as const;
    const gate = { trustProxy: ["loopback"] };
    const plain = { isTls: false, header };
    expect(await outcome(boundTo(mine), undefined, { ...plain, gate, options })).toEqual(passed);
    expect(await outcome(boundTo(others), undefined, { ...plain, gate, options })).toEqual(another);
    expect(await outcome(boundTo(mine), undefined, { ...plain, options })).toEqual(
      refused("Client-Cert counts with trustProxy alone"),
    );
    expect(await outcome(boundTo(mine), undefined, plain)).toEqual(refused("no certificate"));
  });
});

describe("boundToCertificate", () => {
  it("stands beside a certificate that is vouched for; the identity is the token's", async () => {
    const authority = await makeAuthority();
    const vouched = await authority.issue();
    const policy = guard(
      origin("same-origin", { allowMissing: true }),
      clientCertificate({ subject: "thumbprint" }),
      jwt({ issuer, audience, keys: secret, certificateBound: true }),
      boundToCertificate(),
    );
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(
      policy,
      { onDecision: (event) => events.push(event) },
      createServer({ ...server, ...asking, ca: authority.cert }),
    );
    for (const certificate of [vouched, mine]) {
      const client = await dial(port, { isTls: true, certificate });
      client.send(handshakeText({ headers: await bearer(boundTo(certificate)) }));
      await client.until("\r\n\r\n");
    }
    expect(events.map(({ subject, code }) => [subject, code])).toEqual([
      ["ann", undefined],
      [undefined, "unauthorized"],
    ]);
  });

  it("runs behind what finds the identity, and does not stand alone", () => {
    expect(policyOf().explain()).toMatch(/jwt: .*\n.*boundToCertificate: x5t#S256, from socket/);
    expect(thrownBy(() => guard(boundToCertificate()))).toContain("ERR_FIRMSHAKE_IDENTITY_MISSING");
  });

  it("is what jwt({ certificateBound }) cannot do without, on each way", () => {
    const token = jwt({ issuer, audience, keys: secret, certificateBound: true });
    const beside = insecureAnyOrigin();
    for (const checks of [
      [token],
      [any(token, () => allow)],
      [token, when(() => true, boundToCertificate())],
      [token, any(boundToCertificate(), () => allow)],
    ]) {
      expect(thrownBy(() => guard(beside, ...checks))).toContain("Add boundToCertificate()");
    }
    for (const check of [
      all(token, boundToCertificate()),
      any(all(token, boundToCertificate()), () => allow),
    ]) {
      expect(guard(beside, check).explain()).toContain("boundToCertificate");
    }
  });

  it("refuses where nobody was authenticated after all", async () => {
    const policy = guard(insecureAnyOrigin(), () => allow, boundToCertificate());
    expect(await askedOf(policy, handshakeOf())).toBe("token_invalid");
  });

  it.each<[unknown, string]>([
    [{ from: "header" }, `"from" must be "socket" or "client-cert-header"`],
    [{ form: "socket" }, `Did you mean "from"?`],
    [null, "expected an options object"],
  ])("cannot be made of %j", (options, message) => {
    expect(thrownBy(() => boundToCertificate(options as BoundToCertificateOptions))).toContain(
      message,
    );
  });
});
