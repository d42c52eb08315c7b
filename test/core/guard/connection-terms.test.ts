import { allow, any, guard, insecureAnyOrigin, refuse } from "@firmshake/core";
import { addTerm, type ConnectionTerm, takeBackTerms, termsOf } from "@firmshake/core/gate";
import { expect, it } from "vitest";
import { handshakeOf } from "../../support/handshakes.ts";

const asking =
  (kind: string, released: string[], answer: "allow" | "refuse" = "allow") =>
  (handshake: Parameters<typeof addTerm>[0]) => {
    addTerm(handshake, { kind, release: () => void released.push(kind) });
    return answer === "allow" ? allow : refuse("forbidden");
  };

it("keeps what the checks of a branch that allowed have asked for, and releases that of the others", () => {
  const released: string[] = [];
  const chat = guard(
    insecureAnyOrigin(),
    asking("first", released),
    any(asking("refused", released, "refuse"), asking("second", released)),
  );
  const handshake = handshakeOf();
  expect(chat.decide(handshake)).toMatchObject({ ok: true });
  expect(termsOf(handshake, "first")).toHaveLength(1);
  expect(termsOf(handshake, "refused")).toEqual([]);
  expect(termsOf(handshake, "second")).toHaveLength(1);
  expect(released).toEqual(["refused"]);
});

it("releases each once", () => {
  const released: string[] = [];
  const handshake = handshakeOf();
  guard(insecureAnyOrigin(), asking("place", released)).decide(handshake);
  takeBackTerms(handshake);
  takeBackTerms(handshake);
  expect(released).toEqual(["place"]);
  expect(termsOf<ConnectionTerm>(handshake, "place")).toEqual([]);
});
