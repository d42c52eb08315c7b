import {
  guard,
  insecureAnyOrigin,
  memoryTicketStore,
  origin,
  type Tickets,
  type TicketsOptions,
  type TicketWish,
  tickets,
  withoutSecrets,
} from "@firmshake/core";
import { exportJWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { askedOf, type HandshakeSketch, handshakeOf, thrownBy } from "../../support/handshakes.ts";
import { hashOf, type Prover, proverOf } from "../tokens/proving.ts";
import { forged, seconds } from "../tokens/signing.ts";

const page = "https://app.example.com";
const origins = [page];

let ann: Prover;
let other: Prover;
beforeAll(async () => {
  [ann, other] = await Promise.all([proverOf(), proverOf()]);
});

interface Desk {
  readonly entry: Tickets;
  readonly issue: (over?: Partial<TicketWish>) => Promise<string>;
}

/** Issues tickets for /chat to the key of ann. */
function desk(options: TicketsOptions = {}): Desk {
  const entry = tickets({ dpop: { origins }, ...options });
  const wish = { subject: "ada", path: "/chat", origin: page, thumbprint: ann.thumbprint };
  return {
    entry,
    issue: async (over) => (await entry.issue({ ...wish, ...over })).ticket,
  };
}

const proofFor = (ticket: string, changed: Record<string, unknown> = {}): Promise<string> =>
  ann.proof({ ath: hashOf(ticket), ...changed });

const carrying = (text: string, sketch: HandshakeSketch = {}): ReturnType<typeof handshakeOf> =>
  handshakeOf({ target: `/chat?ticket=${text}`, ...sketch });

const noTicket = ["ticket_invalid", "not a ticket"];
const outcomeOf = async (entry: Tickets, text: string, sketch?: HandshakeSketch) => {
  const answer = await entry(carrying(text, sketch));
  return answer.ok ? "allow" : [answer.code, answer.reason];
};

describe("a ticket that is bound to a key", () => {
  it("opens a socket with a proof for it, once", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const text = `${ticket}~${await proofFor(ticket)}`;
    expect(await outcomeOf(entry, text)).toBe("allow");
    expect(await outcomeOf(entry, text)).toEqual(["ticket_invalid", "unknown or spent"]);
  });

  it("is won by one of many that come at once", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const text = `${ticket}~${await proofFor(ticket)}`;
    const all = Array.from({ length: 20 }, () => askedOf(entry, carrying(text)));
    expect((await Promise.all(all)).filter((answer) => answer === "allow")).toHaveLength(1);
  });

  it("may be proven for the scheme of WebSockets, and by HTTP/2 as by HTTP/1.1", async () => {
    const { entry, issue } = desk();
    const [first, second] = [await issue(), await issue()];
    const wss = await proofFor(first, { htu: "wss://app.example.com/chat" });
    expect(await outcomeOf(entry, `${first}~${wss}`)).toBe("allow");
    const sketch = { method: "CONNECT", httpVersion: "2.0" };
    expect(await outcomeOf(entry, `${second}~${await proofFor(second)}`, sketch)).toBe("allow");
  });

  it("is taken out of query and subprotocols with its proof", async () => {
    const { entry, issue } = desk();
    const chat = guard(origin([page]), entry);
    for (const place of ["query", "subprotocol"]) {
      const ticket = await issue();
      const text = `${ticket}~${await proofFor(ticket)}`;
      const verdict = await chat.decide(
        place === "query"
          ? carrying(text)
          : handshakeOf({ headers: { "sec-websocket-protocol": `chat, bearer, ${text}` } }),
      );
      if (!verdict.ok) throw new Error(verdict.refusal.reason);
      expect(JSON.stringify(withoutSecrets(verdict.permit))).not.toContain(ticket);
    }
  });
});

describe("attacks with a stolen ticket", () => {
  it.each<[string, (ticket: string) => string | Promise<string>, readonly unknown[]]>([
    ["the ticket alone", (ticket) => ticket, ["proof_invalid", "no proof behind the ticket"]],
    [
      "an empty proof",
      (ticket) => `${ticket}~`,
      ["proof_invalid", "not a compact JWS in canonical base64url"],
    ],
    [
      "a text for a proof",
      (ticket) => `${ticket}~proof`,
      ["proof_invalid", "not a compact JWS in canonical base64url"],
    ],
    [
      "two proofs",
      async (ticket) => `${ticket}~${await proofFor(ticket)}~${await proofFor(ticket)}`,
      ["proof_invalid", "not a compact JWS in canonical base64url"],
    ],
    [
      "a giant",
      async (ticket) => `${ticket}~${await proofFor(ticket, { pad: "a".repeat(4_096) })}`,
      ["proof_invalid", "longer than maxProofBytes"],
    ],
    [
      "a proof by the thief's key",
      async (ticket) => `${ticket}~${await other.proof({ ath: hashOf(ticket) })}`,
      ["proof_invalid", "jwk is not the key that the token is bound to"],
    ],
    [
      "the right key in the header, signed with another",
      async (ticket) =>
        `${ticket}~${await ann.proof({ ath: hashOf(ticket) }, {}, other.pair.privateKey)}`,
      ["proof_invalid", expect.any(String)],
    ],
    [
      "the private key in the header",
      async (ticket) =>
        `${ticket}~${await ann.proof({ ath: hashOf(ticket) }, { jwk: await exportJWK(ann.pair.privateKey) })}`,
      ["proof_invalid", "jwk is private"],
    ],
    [
      "no signature",
      (ticket) =>
        `${ticket}~${forged({ typ: "dpop+jwt", alg: "none", jwk: ann.jwk }, ann.claims({ ath: hashOf(ticket) }))}`,
      ["proof_invalid", expect.any(String)],
    ],
    [
      "the proof of the request for the ticket",
      async (ticket) => `${ticket}~${await ann.proof({ htm: "POST", htu: `${page}/ticket` })}`,
      ["proof_invalid", "htm"],
    ],
    [
      "a proof for another path",
      async (ticket) => `${ticket}~${await proofFor(ticket, { htu: `${page}/news` })}`,
      ["proof_invalid", "htu"],
    ],
    [
      "a proof for another server",
      async (ticket) => `${ticket}~${await proofFor(ticket, { htu: "https://evil.example/chat" })}`,
      ["proof_invalid", "htu"],
    ],
    [
      "a proof for the access token",
      async (ticket) => `${ticket}~${await ann.proof()}`,
      ["proof_invalid", "ath"],
    ],
    [
      "a proof for another ticket",
      async (ticket) => `${ticket}~${await proofFor("A".repeat(43))}`,
      ["proof_invalid", "ath"],
    ],
    [
      "an old proof",
      async (ticket) => `${ticket}~${await proofFor(ticket, { iat: seconds() - 62 })}`,
      ["proof_invalid", "iat"],
    ],
    [
      "a proof without a jti",
      async (ticket) => `${ticket}~${await proofFor(ticket, { jti: undefined })}`,
      ["proof_invalid", expect.any(String)],
    ],
    [
      "a proof with an empty jti",
      async (ticket) => `${ticket}~${await proofFor(ticket, { jti: "" })}`,
      ["proof_invalid", "jti"],
    ],
    ["a proof alone", async (ticket) => `~${await proofFor(ticket)}`, noTicket],
    [
      "the proof before the ticket",
      async (ticket) => `${await proofFor(ticket)}~${ticket}`,
      noTicket,
    ],
  ])("%s", async (_, text, expected) => {
    const { entry, issue } = desk();
    expect(await outcomeOf(entry, await text(await issue()))).toEqual(expected);
  });

  it.each<[string, HandshakeSketch]>([
    ["a name of which this server knows nothing", { headers: { host: "evil.example" } }],
    ["a plain connection", { isTls: false }],
  ])("at %s", async (_, sketch) => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const text = `${ticket}~${await proofFor(ticket)}`;
    expect(await outcomeOf(entry, text, sketch)).toEqual([
      "proof_invalid",
      "Host is none of the origins",
    ]);
  });

  it("a proof in the header does not count: it is the ticket's own part", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    const headers = { dpop: await proofFor(ticket) };
    expect(await outcomeOf(entry, ticket, { headers })).toEqual([
      "proof_invalid",
      "no proof behind the ticket",
    ]);
  });

  it("a wrong proof spends the ticket, no proof does not", async () => {
    const { entry, issue } = desk();
    const ticket = await issue();
    expect(await askedOf(entry, carrying(ticket))).toBe("proof_invalid");
    const theirs = await other.proof({ ath: hashOf(ticket) });
    expect(await askedOf(entry, carrying(`${ticket}~${theirs}`))).toBe("proof_invalid");
    expect(await outcomeOf(entry, `${ticket}~${await proofFor(ticket)}`)).toEqual([
      "ticket_invalid",
      "unknown or spent",
    ]);
  });
});

describe("tickets of one store, in processes that differ", () => {
  it("are not taken without their proof by one that asks for none", async () => {
    const store = memoryTicketStore();
    const ticket = await desk({ store }).issue();
    const entry = tickets({ store });
    expect(await outcomeOf(entry, ticket)).toEqual([
      "ticket_invalid",
      "for a check that looks at keys otherwise",
    ]);
    expect(await outcomeOf(entry, `${ticket}~${await proofFor(ticket)}`)).toEqual(noTicket);
  });

  it("are not taken without a binding by one that asks for it", async () => {
    const store = memoryTicketStore();
    const plain = tickets({ store });
    const { ticket } = await plain.issue({ subject: "ada", path: "/chat", origin: page });
    const { entry } = desk({ store });
    expect(await outcomeOf(entry, `${ticket}~${await proofFor(ticket)}`)).toEqual([
      "ticket_invalid",
      "for a check that looks at keys otherwise",
    ]);
  });
});

describe("the options", () => {
  it("show in explain()", () => {
    expect(guard(insecureAnyOrigin(), desk().entry).explain()).toContain(
      "; with a proof by ES256, EdDSA, Ed25519 for https://app.example.com",
    );
  });

  it.each<[string, object, string]>([
    ["no origins", {}, "OPTION_MISSING"],
    ["what is no origin", { origins: [`${page}/`] }, "OPTION_INVALID"],
    ["a shared secret", { origins, algorithms: ["HS256"] }, "ALGORITHM_UNSAFE"],
    ["a nonce, which no page could read", { origins, nonce: {} }, "OPTION_UNKNOWN"],
    ["a store of proofs", { origins, store: { claim: () => true } }, "OPTION_UNKNOWN"],
  ])("with %s are refused", (_, dpop, code) => {
    const thrown = thrownBy(() => tickets({ dpop: dpop as { origins: string[] } }));
    expect(thrown).toContain(`ERR_FIRMSHAKE_${code}`);
    expect(thrown).toContain("tickets.dpop");
  });

  it.each<[string, string | undefined, string]>([
    ["no key", undefined, "OPTION_MISSING"],
    ["a short thumbprint", "A", "OPTION_INVALID"],
    ["a thumbprint in another spelling", `${"A".repeat(42)}B`, "OPTION_INVALID"],
  ])("issue nothing for %s", async (_, thumbprint, code) => {
    await expect(desk().issue({ thumbprint })).rejects.toThrow(`ERR_FIRMSHAKE_${code}`);
  });

  it("leave a thumbprint alone where tickets are bound to none", async () => {
    const entry = tickets();
    const { ticket } = await entry.issue({
      subject: "ada",
      path: "/chat",
      origin: page,
      thumbprint: ann.thumbprint,
    });
    expect(await outcomeOf(entry, ticket)).toBe("allow");
  });
});
