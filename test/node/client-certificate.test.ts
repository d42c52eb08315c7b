import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer as createPlainServer } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import {
  type CertificateSource,
  type ClientCertificateOptions,
  clientCertificate,
  connectionOf,
  type DecisionEvent,
  type GateOptions,
  guard,
  handshakeFrom,
  insecureAnyOrigin,
  origin,
} from "@firmshake/node";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readAlternativeNames } from "../../packages/node/src/certificate/alternative-names.ts";
import { readClientCert } from "../../packages/node/src/certificate/client-cert-header.ts";
import { parseSpiffeId } from "../../packages/node/src/certificate/spiffe-id.ts";
import {
  type ClientCertificateSketch,
  type KeyAndCertificate,
  makeAuthority,
  makeCertificate,
} from "../support/certificate.ts";
import { askedOf, thrownBy } from "../support/handshakes.ts";
import { answerTo, askFor, headOf, openSession, secureOfferingServer } from "../support/http2.ts";
import { answerIn, dial, handshakeText } from "../support/raw-client.ts";
import { gatedServer, gatedWs } from "../support/server.ts";

let server: KeyAndCertificate;
let authority: Awaited<ReturnType<typeof makeAuthority>>;
let stranger: Awaited<ReturnType<typeof makeAuthority>>;

beforeAll(async () => {
  server = await makeCertificate();
  [authority, stranger] = await Promise.all([makeAuthority("Ours"), makeAuthority()]);
});

const mail = (value: string) => ({ type: 1 as const, value });
const dns = (value: string) => ({ type: 2 as const, value });
const uri = (value: string) => ({ type: 6 as const, value });
const spiffe = { subject: "spiffe", trustDomains: ["prod.example.com"] } as const;
const policyOf = (options: ClientCertificateOptions) =>
  guard(origin("same-origin", { allowMissing: true }), clientCertificate(options));
const derOf = ({ cert }: KeyAndCertificate): string =>
  `:${new X509Certificate(cert).raw.toString("base64")}:`;
const thumbprintOf = ({ cert }: KeyAndCertificate): string =>
  Buffer.from(new X509Certificate(cert).fingerprint256.replaceAll(":", ""), "hex").toString(
    "base64url",
  );

interface Outcome {
  readonly subject: string | undefined;
  readonly code: string | undefined;
  readonly reason: string | undefined;
}

const outcomeOf = ({ subject, code, reason }: DecisionEvent): Outcome => ({
  subject,
  code,
  reason,
});
const allowed = (subject: string): Outcome => ({ subject, code: undefined, reason: undefined });
const refused = (reason: string): Outcome => ({
  subject: undefined,
  code: "unauthorized",
  reason: `clientCertificate: ${reason}`,
});

/** What a gated TLS server makes of a client that presents the certificate. */
async function outcome(
  options: ClientCertificateOptions,
  certificate: KeyAndCertificate | undefined,
  {
    tls = {},
    gate = {},
    headers = {},
  }: {
    readonly tls?: ServerOptions;
    readonly gate?: GateOptions;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  } = {},
): Promise<Outcome> {
  const events: DecisionEvent[] = [];
  const { port } = await gatedServer(
    policyOf(options),
    { ...gate, onDecision: (event) => events.push(event) },
    createServer({
      ...server,
      requestCert: true,
      rejectUnauthorized: false,
      ca: authority.cert,
      ...tls,
    }),
  );
  const client = await dial(port, { isTls: true, certificate });
  client.send(handshakeText({ headers }));
  await client.until("\r\n\r\n");
  const [event] = events;
  if (event === undefined) throw new Error("Nothing was decided.");
  return outcomeOf(event);
}

describe("a client certificate on the socket", () => {
  it.each<[string, ClientCertificateSketch, ClientCertificateOptions, string]>([
    [
      "SPIFFE ID",
      { names: [uri("spiffe://prod.example.com/ns/chat/sa/api"), dns("a.example")] },
      spiffe,
      "spiffe://prod.example.com/ns/chat/sa/api",
    ],
    [
      "DNS name",
      { names: [dns("API.internal.example"), uri("https://a.example/")] },
      { subject: "san-dns" },
      "api.internal.example",
    ],
    ["URI", { names: [uri("urn:device:17")] }, { subject: "san-uri" }, "urn:device:17"],
    [
      "mail address",
      { names: [mail("ann@example.com")] },
      { subject: "san-email" },
      "ann@example.com",
    ],
    [
      "whatever a function finds",
      {},
      { subject: ({ subject }) => /CN=(.*)/.exec(subject)?.[1] },
      "A client",
    ],
  ])("names its subject by %s", async (_, sketch, options, subject) => {
    expect(await outcome(options, await authority.issue(sketch))).toEqual(allowed(subject));
  });

  it("names its subject by its thumbprint, and says what it is", async () => {
    const certificate = await authority.issue();
    const policy = policyOf({ subject: "thumbprint" });
    const { port, handedOver } = await gatedServer(
      policy,
      {},
      createServer({ ...server, requestCert: true, ca: authority.cert }),
    );
    const client = await dial(port, { isTls: true, certificate });
    client.send(handshakeText());
    await client.until("101");
    const { identity } = connectionOf(handedOver[0]?.request ?? ({} as never), policy);
    const parsed = new X509Certificate(certificate.cert);
    expect(identity).toEqual({
      subject: thumbprintOf(certificate),
      scheme: "mtls",
      claims: {
        thumbprint: thumbprintOf(certificate),
        serialNumber: parsed.serialNumber,
        issuer: "CN=Ours",
      },
      expiresAt: Date.parse(parsed.validTo),
    });
    expect(identity.subject).toHaveLength(43);
  });

  const another = refused("not exactly one subject of that kind");
  it.each<[string, ClientCertificateSketch, ClientCertificateOptions]>([
    ["no name", {}, spiffe],
    [
      "a SPIFFE ID of another trust domain",
      { names: [uri("spiffe://test.example.com/a")] },
      spiffe,
    ],
    [
      "a SPIFFE ID of a trust domain below",
      { names: [uri("spiffe://a.prod.example.com/a")] },
      spiffe,
    ],
    [
      "a second URI",
      { names: [uri("spiffe://prod.example.com/a"), uri("https://b.example/")] },
      spiffe,
    ],
    [
      "two SPIFFE IDs",
      { names: [uri("spiffe://prod.example.com/a"), uri("spiffe://prod.example.com/b")] },
      spiffe,
    ],
    ["no path", { names: [uri("spiffe://prod.example.com")] }, spiffe],
    ["a trust domain in capitals", { names: [uri("spiffe://PROD.example.com/a")] }, spiffe],
    [
      "the authority's right to sign",
      { names: [uri("spiffe://prod.example.com/a")], isAuthority: true },
      spiffe,
    ],
    ["two DNS names", { names: [dns("a.example"), dns("b.example")] }, { subject: "san-dns" }],
    ["a wildcard", { names: [dns("*.example.com")] }, { subject: "san-dns" }],
    [
      "one name that looks like two",
      { names: [dns("a.example, URI:urn:b")] },
      { subject: "san-uri" },
    ],
    ["a mail address alone", { names: [mail("ann@example.com")] }, { subject: "san-dns" }],
    ["two signs of mail", { names: [mail("ann@b@example.com")] }, { subject: "san-email" }],
    ["nothing that the function finds", {}, { subject: () => undefined }],
    ["nothing but an empty text", {}, { subject: () => "" }],
  ])("is refused with %s", async (_, sketch, options) => {
    expect(await outcome(options, await authority.issue(sketch))).toEqual(another);
  });

  it("is refused where no authority of the server vouches for it", async () => {
    const reason = "no authority of the server vouches for it";
    const certificate = await stranger.issue({ names: [uri("spiffe://prod.example.com/a")] });
    expect(await outcome(spiffe, certificate)).toEqual(refused(reason));
    expect(await outcome({ subject: "thumbprint" }, await makeCertificate())).toEqual(
      refused(reason),
    );
  });

  it("is worth nothing from another authority of the same name", async () => {
    const forger = await makeAuthority("Ours");
    const certificate = await forger.issue({ names: [uri("spiffe://prod.example.com/a")] });
    const { port } = await gatedServer(
      policyOf(spiffe),
      {},
      createServer({ ...server, requestCert: true, rejectUnauthorized: false, ca: authority.cert }),
    );
    const client = await dial(port, { isTls: true, certificate });
    client.send(handshakeText());
    // Node may cut the connection before it has read the handshake.
    expect([401, Number.NaN]).toContain(answerIn(await client.closed).status);
  });

  it("is refused where there is none", async () => {
    expect(await outcome(spiffe, undefined)).toEqual(refused("no certificate"));
  });

  it("is refused where the server did not ask for it", async () => {
    const certificate = await authority.issue();
    expect(
      await outcome({ subject: "thumbprint" }, certificate, { tls: { requestCert: false } }),
    ).toEqual(refused("no certificate"));
  });

  it("is refused when it has ended, or not begun", async () => {
    const reason = "no authority of the server vouches for it";
    const dates = [
      { notBefore: new Date("2020-01-01"), notAfter: new Date("2020-02-01") },
      {
        notBefore: new Date(Date.now() + 86_400_000),
        notAfter: new Date(Date.now() + 2 * 86_400_000),
      },
    ];
    for (const sketch of dates) {
      const certificate = await authority.issue(sketch);
      expect(await outcome({ subject: "thumbprint" }, certificate)).toEqual(refused(reason));
    }
  });

  it("is not read from a header", async () => {
    const certificate = await authority.issue();
    const headers = { "Client-Cert": derOf(certificate) };
    expect(await outcome({ subject: "thumbprint" }, undefined, { headers })).toEqual(
      refused("no certificate"),
    );
  });

  it("of a trusted proxy is not the client's", async () => {
    const certificate = await authority.issue();
    const gate = { trustProxy: ["loopback"] };
    expect(await outcome({ subject: "thumbprint" }, certificate, { gate })).toEqual(
      refused("the certificate on the socket is the trusted proxy's"),
    );
  });

  it("is not there without TLS", async () => {
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(policyOf(spiffe), {
      onDecision: (event) => events.push(event),
    });
    const client = await dial(port);
    client.send(handshakeText());
    expect(answerIn(await client.closed)).toMatchObject({ status: 401 });
    expect(events.map(outcomeOf)).toEqual([refused("no certificate")]);
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "is known in a session that is resumed, by %s",
    async (version) => {
      const certificate = await authority.issue();
      const events: DecisionEvent[] = [];
      const { port } = await gatedServer(
        policyOf({ subject: "thumbprint" }),
        { onDecision: (event) => events.push(event) },
        createServer({
          ...server,
          requestCert: true,
          ca: authority.cert,
          sessionIdContext: "test",
        }),
      );
      const connect = async (
        more: ConnectionOptions,
      ): Promise<{ socket: TLSSocket; session: Buffer }> => {
        const socket = connectTls({
          ...{ port, host: "127.0.0.1", rejectUnauthorized: false },
          ...certificate,
          ...{ minVersion: version, maxVersion: version },
          ...more,
        });
        onTestFinished(() => void socket.destroy());
        const session = once(socket, "session") as Promise<[Buffer]>;
        session.catch(() => undefined);
        await once(socket, "secureConnect");
        socket.write(handshakeText());
        await once(socket, "data");
        return { socket, session: socket.isSessionReused() ? Buffer.alloc(0) : (await session)[0] };
      };
      const { session } = await connect({});
      const { socket } = await connect({ session });
      expect(socket.isSessionReused()).toBe(true);
      expect(events.map(outcomeOf)).toEqual(Array(2).fill(allowed(thumbprintOf(certificate))));
    },
  );

  it("is found under HTTP/2, and missed there where there is none", async () => {
    const certificate = await authority.issue({ names: [uri("spiffe://prod.example.com/a")] });
    const events: DecisionEvent[] = [];
    const { port } = await gatedWs(
      policyOf(spiffe),
      { onDecision: (event) => events.push(event) },
      await secureOfferingServer(
        {},
        { requestCert: true, rejectUnauthorized: false, ca: authority.cert },
      ),
    );
    const session = await openSession(port, { isTls: true, clientCertificate: certificate });
    expect((await headOf(askFor(session)))[":status"]).toBe(200);
    const bare = await openSession(port, { isTls: true });
    expect((await answerTo(askFor(bare))).status).toBe(401);
    expect(events.map(outcomeOf)).toEqual([
      allowed("spiffe://prod.example.com/a"),
      refused("no certificate"),
    ]);
  });
});

describe("a client certificate in Client-Cert", () => {
  const from: CertificateSource = "client-cert-header";
  const gate = { trustProxy: ["loopback"] };

  async function forwarded(
    header: string | readonly string[] | undefined,
    options: ClientCertificateOptions = { subject: "thumbprint", from },
    gateOptions: GateOptions = gate,
  ): Promise<Outcome> {
    const events: DecisionEvent[] = [];
    const { port } = await gatedServer(
      policyOf(options),
      { ...gateOptions, onDecision: (event) => events.push(event) },
      createPlainServer(),
    );
    const client = await dial(port);
    client.send(handshakeText({ headers: { "Client-Cert": header } }));
    await client.until("\r\n\r\n");
    return outcomeOf(events[0] as DecisionEvent);
  }

  it("of a trusted proxy names the client", async () => {
    const certificate = await authority.issue({ names: [uri("spiffe://prod.example.com/a")] });
    expect(await forwarded(derOf(certificate))).toEqual(allowed(thumbprintOf(certificate)));
    expect(await forwarded(derOf(certificate), { ...spiffe, from })).toEqual(
      allowed("spiffe://prod.example.com/a"),
    );
  });

  it("of anybody else is refused", async () => {
    const certificate = await authority.issue();
    expect(await forwarded(derOf(certificate), undefined, { trustProxy: ["10.0.0.0/8"] })).toEqual(
      refused("the peer is no trusted proxy"),
    );
    expect(await forwarded(derOf(certificate), undefined, {})).toEqual(
      refused("Client-Cert counts with trustProxy alone"),
    );
  });

  it("is refused when it has ended, or not begun", async () => {
    const dates = [
      { notBefore: new Date("2020-01-01"), notAfter: new Date("2020-02-01") },
      {
        notBefore: new Date(Date.now() + 86_400_000),
        notAfter: new Date(Date.now() + 2 * 86_400_000),
      },
    ];
    for (const sketch of dates) {
      const certificate = await authority.issue(sketch);
      expect(await forwarded(derOf(certificate))).toEqual(refused("not valid at this time"));
    }
  });

  it("is missed where the proxy sends none, whatever is on the socket", async () => {
    expect(await forwarded(undefined)).toEqual(refused("no Client-Cert header"));
    expect(
      await outcome({ subject: "thumbprint", from }, await authority.issue(), { gate }),
    ).toEqual(refused("no Client-Cert header"));
  });

  it("counts once", async () => {
    const value = derOf(await authority.issue());
    const many = refused("Client-Cert is not one certificate");
    expect(await forwarded([value, value])).toEqual(many);
    expect(await forwarded(`${value}, ${value}`)).toEqual(many);
  });

  it("is DER in a Byte Sequence, and nothing else", async () => {
    const certificate = await authority.issue();
    const good = derOf(certificate);
    const { raw } = new X509Certificate(certificate.cert);
    const encoded = (bytes: Buffer): string => `:${bytes.toString("base64")}:`;
    expect(readClientCert(` ${good}\t`)?.raw.equals(raw)).toBe(true);
    const others = [
      "",
      ":",
      "::",
      ":AA==:",
      good.slice(1),
      good.slice(0, -1),
      good.slice(1, -1),
      `${good};a=1`,
      `"${good}"`,
      `${good.slice(0, -1)}=:`,
      good.replace(":M", ":_"),
      good.replace(":", ": "),
      encoded(Buffer.from(certificate.cert)),
      encoded(Buffer.concat([raw, Buffer.from([0])])),
      encoded(raw.subarray(0, -1)),
      encodeURIComponent(certificate.cert),
    ];
    expect(others.filter((text) => readClientCert(text) !== undefined)).toEqual([]);
  });
});

describe("clientCertificate", () => {
  it("is refused where there is no Node request", async () => {
    const handshake = handshakeFrom(
      new Request("https://app.example.com/chat", {
        headers: { origin: "https://app.example.com" },
      }),
    );
    expect(await askedOf(clientCertificate(spiffe), handshake)).toBe("unauthorized");
  });

  it("explains itself", () => {
    const text = guard(
      clientCertificate(spiffe),
      clientCertificate({ subject: () => "a", from: "client-cert-header" }),
    ).explain();
    expect(text).toContain("clientCertificate: by spiffe of prod.example.com, from socket");
    expect(text).toContain("clientCertificate: by a function, from client-cert-header");
  });

  it("needs an origin check: browsers present certificates whichever page asks", () => {
    expect(thrownBy(() => guard(insecureAnyOrigin(), clientCertificate(spiffe)))).toContain(
      "ERR_FIRMSHAKE_COOKIE_WITHOUT_ORIGIN",
    );
  });

  it.each<[unknown, string]>([
    [undefined, "expected an options object"],
    [{}, `"subject" is required`],
    [{ subject: "cn" }, `"subject" must be`],
    [{ subject: "spiffe" }, `"trustDomains" is required with "spiffe"`],
    [{ subject: "spiffe", trustDomains: [] }, `"trustDomains" must be a non-empty list`],
    [{ subject: "spiffe", trustDomains: ["spiffe://a"] }, `without "spiffe://"`],
    [{ subject: "spiffe", trustDomains: ["Prod"] }, `without "spiffe://"`],
    [{ subject: "san-dns", trustDomains: ["a"] }, `goes with subject: "spiffe" alone`],
    [{ subject: "thumbprint", from: "header" }, `"from" must be "socket" or "client-cert-header"`],
  ])("cannot be made of %j", (options, message) => {
    expect(thrownBy(() => clientCertificate(options as ClientCertificateOptions))).toContain(
      message,
    );
  });
});

describe("a SPIFFE ID", () => {
  it.each<[string, object | undefined]>([
    ["spiffe://example.org/a", { trustDomain: "example.org", path: "/a" }],
    ["spiffe://e-x_1.org/A/b.c/-_..x", { trustDomain: "e-x_1.org", path: "/A/b.c/-_..x" }],
    [`spiffe://${"a".repeat(255)}/b`, { trustDomain: "a".repeat(255), path: "/b" }],
    [`spiffe://${"a".repeat(256)}/b`, undefined],
    [`spiffe://a/${"b".repeat(2_040)}`, undefined],
    ["spiffe://example.org", undefined],
    ["spiffe://example.org/", undefined],
    ["spiffe://example.org/a/", undefined],
    ["spiffe://example.org//a", undefined],
    ["spiffe://example.org/./a", undefined],
    ["spiffe://example.org/a/..", undefined],
    ["spiffe://example.org/a%20b", undefined],
    ["spiffe://example.org/a?b", undefined],
    ["spiffe://example.org/a#b", undefined],
    ["spiffe://example.org/ä", undefined],
    ["spiffe://example.org/a\n", undefined],
    ["spiffe://example.org:443/a", undefined],
    ["spiffe://user@example.org/a", undefined],
    ["spiffe://Example.org/a", undefined],
    ["spiffe:///a", undefined],
    ["SPIFFE://example.org/a", undefined],
    ["https://example.org/a", undefined],
    ["spiffe:/example.org/a", undefined],
    ["", undefined],
  ])("of %j is %j", (text, id) => {
    expect(parseSpiffeId(text)).toEqual(id);
  });
});

describe("alternative names", () => {
  it.each<[string, readonly (readonly [string, string])[] | undefined]>([
    ["", []],
    ["DNS:a.example", [["DNS", "a.example"]]],
    [
      "DNS:a.example, URI:urn:b",
      [
        ["DNS", "a.example"],
        ["URI", "urn:b"],
      ],
    ],
    [
      'DNS:"a, URI:\\"b", email:c@d',
      [
        ["DNS", 'a, URI:"b'],
        ["email", "c@d"],
      ],
    ],
    ["IP Address:127.0.0.1", [["IP Address", "127.0.0.1"]]],
    ["DNS", undefined],
    ["DNS:a, ", [["DNS", "a"]]],
    ['DNS:"a', undefined],
    ['DNS:"a"b', undefined],
    ['DNS:"\\x"', undefined],
  ])("of %j are %j", (text, names) => {
    expect(readAlternativeNames(text)).toEqual(names?.map(([type, value]) => ({ type, value })));
  });
});
