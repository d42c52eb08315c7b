import { type AddressOptions, address, secure, trustedProxies } from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { askedOf, handshakeOf, thrownBy } from "../../support/handshakes.ts";

const asked = (options: AddressOptions, peer: string | undefined): Promise<string> =>
  askedOf(address(options), handshakeOf({ peer }));

describe("an address", () => {
  const office = {
    allow: ["192.0.2.0/24", "2001:db8::/32", "loopback"],
    deny: ["192.0.2.66", "2001:db8:bad::/48"],
  };

  it.each<[string | undefined, string]>([
    ["192.0.2.1", "allow"],
    ["::ffff:192.0.2.1", "allow"],
    ["2001:db8::1", "allow"],
    ["::1", "allow"],
    ["192.0.2.66", "address_denied"],
    ["::ffff:c000:242", "address_denied"],
    ["2001:db8:bad::1", "address_denied"],
    ["192.0.3.1", "address_denied"],
    ["2001:db9::1", "address_denied"],
    ["::192.0.2.1", "address_denied"],
    [undefined, "address_unknown"],
    ["/run/app.sock", "address_unknown"],
  ])("%s: %s", async (peer, word) => {
    expect(await asked(office, peer)).toBe(word);
  });

  it("is let in where only others are denied", async () => {
    expect(await asked({ deny: ["192.0.2.66"] }, "192.0.2.1")).toBe("allow");
    expect(await asked({ deny: ["192.0.2.66"] }, "192.0.2.66")).toBe("address_denied");
    expect(await asked({ deny: ["192.0.2.66"] }, undefined)).toBe("address_unknown");
  });

  it("is the client's, behind a trusted proxy alone", async () => {
    const trust = trustedProxies(["10.0.0.1"]);
    const headers = { "x-forwarded-for": "192.0.2.1" };
    const check = address({ allow: ["192.0.2.0/24"] });
    expect(await askedOf(check, handshakeOf({ trust, peer: "10.0.0.1", headers }))).toBe("allow");
    expect(await askedOf(check, handshakeOf({ trust, peer: "10.0.0.2", headers }))).toBe(
      "address_denied",
    );
    const hidden = { "x-forwarded-for": "unknown" };
    expect(await askedOf(check, handshakeOf({ trust, peer: "10.0.0.1", headers: hidden }))).toBe(
      "address_unknown",
    );
  });

  it.each<[string, object, string, string]>([
    ["neither list", {}, "ERR_FIRMSHAKE_OPTION_MISSING", 'give "allow", "deny" or both'],
    [
      "an empty list",
      { allow: [] },
      "ERR_FIRMSHAKE_OPTION_INVALID",
      '"allow" must be a non-empty list',
    ],
    [
      "an odd spelling",
      { deny: ["127.1"] },
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      '"127.1" is not a range',
    ],
    [
      "another word",
      { allow: ["privat"] },
      "ERR_FIRMSHAKE_ADDRESS_RANGE_INVALID",
      'Did you mean "private"?',
    ],
    [
      "an unknown option",
      { dent: ["::1"] },
      "ERR_FIRMSHAKE_OPTION_UNKNOWN",
      'Did you mean "deny"?',
    ],
  ])("is not checked by %s", (_, options, code, fix) => {
    const message = thrownBy(() => address(options));
    expect(message).toContain(code);
    expect(message).toContain(fix);
  });
});

describe("a secure connection", () => {
  const trust = trustedProxies(["10.0.0.1"]);
  const said = { "x-forwarded-proto": "https" };

  it.each([
    ["TLS on the socket", handshakeOf({ isTls: true }), "allow"],
    ["none", handshakeOf({ isTls: false }), "tls_required"],
    [
      "a trusted proxy's word",
      handshakeOf({ isTls: false, trust, peer: "10.0.0.1", headers: said }),
      "allow",
    ],
    ["the client's own word", handshakeOf({ isTls: false, headers: said }), "tls_required"],
    [
      "the word of a proxy that is not trusted",
      handshakeOf({ isTls: false, trust, peer: "10.0.0.2", headers: said }),
      "tls_required",
    ],
  ])("%s", async (_, handshake, word) => {
    expect(await askedOf(secure(), handshake)).toBe(word);
  });
});
