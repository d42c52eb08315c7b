import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { type Check, type Conclusion, failed } from "../../check.ts";
import { judgeRefusals, probesOf } from "../../judge.ts";
import { withListener } from "../../listener.ts";
import type { Sketch } from "../../probe/request.ts";
import type { Run } from "../../run.ts";
import {
  confused,
  encoded,
  type Forgery,
  partsOf,
  type TokenParts,
  unsigned,
} from "./forged-token.ts";

const needsToken = ({ credentials }: Run): string | undefined =>
  credentials.token === undefined ? "No JWT was given." : undefined;

/** The user's own token; checks that come here are skipped without one. */
function tokenOf({ credentials }: Run): TokenParts {
  const parts = credentials.token === undefined ? undefined : partsOf(credentials.token);
  return parts ?? { header: {}, claims: {}, payload: "", signature: "", text: "" };
}

const withToken = (run: Run, [what, token]: Forgery): Sketch => ({
  probe: `A token with ${what}`,
  credentials: run.credentials.withToken(token),
});

const judge = (run: Run, forgeries: readonly Forgery[], fails: string): Promise<Conclusion> =>
  judgeRefusals(
    run,
    forgeries.map((forgery) => withToken(run, forgery)),
    {
      fails: (accepted) => `${fails}: ${probesOf(accepted)}.`,
      passes: `Each of ${forgeries.length} false tokens was refused.`,
    },
  );

export const signature: Check = {
  id: "WS-JWT-1",
  skipsBecause: needsToken,
  run: (run) => judge(run, unsigned(tokenOf(run)), "Tokens that prove nothing were accepted"),
};

export const keyConfusion: Check = {
  id: "WS-JWT-2",
  skipsBecause: (run) =>
    needsToken(run) ??
    (run.options.publicKey === undefined ? "The public key was not given." : undefined),
  run: (run) =>
    judge(
      run,
      confused(tokenOf(run), run.options.publicKey ?? ""),
      "Tokens that anybody can sign with the public key were accepted",
    ),
};

export const claims: Check = {
  id: "WS-JWT-3",
  skipsBecause: (run) => {
    const { expiredToken, wrongTokens } = run.options;
    return (
      needsToken(run) ??
      (expiredToken === undefined && wrongTokens === undefined
        ? "Neither an expired token nor one with wrong claims was given."
        : undefined)
    );
  },
  run: (run) => {
    const { expiredToken, wrongTokens = {} } = run.options;
    return judge(
      run,
      [
        ...(expiredToken === undefined ? [] : [["an exp in the past", expiredToken] as const]),
        ...Object.entries(wrongTokens).map(([what, token]) => [`a wrong ${what}`, token] as const),
      ],
      "Tokens that are not meant for this moment or place were accepted",
    );
  },
};

export const ownKey: Check = {
  id: "WS-JWT-4",
  skipsBecause: needsToken,
  run: (run) => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const jwk = { ...publicKey.export({ format: "jwk" }), kid: "audit", use: "sig", alg: "RS256" };
    const keySet = JSON.stringify({ keys: [jwk] });
    const { header, payload } = tokenOf(run);
    const signed = (extra: Readonly<Record<string, unknown>>): string => {
      const { kid: _, ...rest } = header;
      const body = `${encoded({ ...rest, alg: "RS256", kid: "audit", ...extra })}.${payload}`;
      return `${body}.${signBytes("sha256", Buffer.from(body), privateKey).toString("base64url")}`;
    };
    return withListener(
      () => keySet,
      async ({ port, requests }) => {
        const base = `http://127.0.0.1:${port}`;
        const conclusion = await judge(
          run,
          [
            ["its own key (jwk)", signed({ jwk })],
            ["the address of its own key (jku)", signed({ jku: `${base}/jwks.json` })],
            ["the address of its own certificate (x5u)", signed({ x5u: `${base}/chain.pem` })],
          ],
          "Tokens that bring their own key were accepted",
        );
        return conclusion.verdict === "fail" || requests() === 0
          ? conclusion
          : failed(
              `The server asked for a key where a false token told it to, ${requests()} time(s).`,
              conclusion.evidence,
            );
      },
    );
  },
};
