import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { claims, pairOf, tokenOf } from "../core/tokens/signing.ts";
import { listen } from "../support/server.ts";

/** Who issues the tokens that recipes ask for, on a server of its own. */
export interface Issuer {
  readonly jwksUri: string;
  readonly tokenOf: (subject: string) => Promise<string>;
  /** From now on whoever asks for the keys waits. */
  readonly hold: () => void;
  /** How many wait. */
  readonly waiting: () => number;
}

export async function startIssuer(): Promise<Issuer> {
  const pair = await pairOf("ES256");
  const waiting = new Set<ServerResponse>();
  let isHeld = false;
  const server = createServer((_request, response) => {
    if (!isHeld) return void response.end(JSON.stringify({ keys: [pair.jwk] }));
    waiting.add(response);
    void once(response, "close").then(() => waiting.delete(response));
  });
  const port = await listen(server);
  return {
    jwksUri: `http://127.0.0.1:${port}/jwks.json`,
    tokenOf: (subject) =>
      tokenOf(claims({ sub: subject }), { alg: "ES256", kid: pair.jwk.kid }, pair.privateKey),
    hold: () => {
      isHeld = true;
    },
    waiting: () => waiting.size,
  };
}
