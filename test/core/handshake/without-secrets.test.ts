import {
  type AnyCheck,
  guard,
  insecureAnyOrigin,
  jwt,
  queryToken,
  type SecretFree,
  subprotocol,
  withoutSecrets,
} from "@firmshake/core";
import { describe, expect, it } from "vitest";
import { handshakeOf } from "../../support/handshakes.ts";
import { audience, issuer, secret, tokenOf } from "../tokens/signing.ts";

const token = await tokenOf();
const signed = jwt({ issuer, audience, keys: secret });
const signedInQuery = jwt({ issuer, audience, keys: secret, from: [queryToken("token")] });

async function leftOf(
  checks: readonly AnyCheck[],
  offered: readonly string[],
  query = "",
): Promise<SecretFree | undefined> {
  const headers = offered.length === 0 ? {} : { "sec-websocket-protocol": offered.join(", ") };
  const handshake = handshakeOf({ target: `/chat${query}`, headers });
  const verdict = await guard(insecureAnyOrigin(), ...checks).decide(handshake);
  return verdict.ok ? withoutSecrets(verdict.permit) : undefined;
}

describe("what an accepted handshake leaves to answer with", () => {
  it.each<[string, readonly AnyCheck[], readonly string[], readonly string[]]>([
    ["is nothing, of no offer", [], [], []],
    ["is the offer", [], ["b", "a"], ["b", "a"]],
    ["is not the token", [signed], ["bearer", token], ["bearer"]],
    ["is what was agreed on", [subprotocol(["a"])], ["b", "a"], ["a"]],
    ["is nothing, where none is spoken", [subprotocol(["a"], { required: false })], ["b"], []],
    [
      "is what was agreed on beside a token",
      [signed, subprotocol(["a"])],
      ["bearer", token, "a"],
      ["a"],
    ],
  ])("%s", async (_, checks, offered, protocols) => {
    expect(await leftOf(checks, offered)).toEqual({ protocols, target: "/chat" });
  });

  it("is a target without the token", async () => {
    expect(await leftOf([signedInQuery], [], `?room=1&token=${token}`)).toEqual({
      protocols: [],
      target: "/chat?room=1",
    });
  });

  it("is the target as it came, where it holds none", async () => {
    expect(await leftOf([signed], ["bearer", token], "?room=1")).toHaveProperty(
      "target",
      "/chat?room=1",
    );
  });
});
