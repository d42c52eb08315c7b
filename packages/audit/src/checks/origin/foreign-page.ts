import { type Conclusion, failed, passed } from "../../check.ts";
import { type Judgement, judgeOutcomes } from "../../judge.ts";
import { isAccepted, isRefusal, type Outcome } from "../../probe/outcome.ts";
import type { Sketch } from "../../probe/request.ts";
import type { Run } from "../../run.ts";

/** Where no page of anybody's can be (RFC 2606). */
export const evilOrigin = "https://evil.example";

/** A handshake as a page of another origin can have it made: with what browsers add by themselves, without what only the user's pages know. */
export const fromPage = (origin: string): Sketch => ({
  probe: `Origin: ${origin}`,
  origin: [origin],
  credentials: "ambient",
});

/** A page of an origin that is nobody's. Many checks ask what came of it. */
export const foreignPage = (run: Run): Promise<Outcome> =>
  run.once("foreign page", () => run.shake(fromPage(evilOrigin)));

/** The same by somebody who has the user's credential. */
const foreignWithCredential = (run: Run): Promise<Outcome> =>
  run.once("foreign page with credential", () =>
    run.shake({
      ...fromPage(evilOrigin),
      probe: `Origin: ${evilOrigin}, with the credential`,
      credentials: "own",
    }),
  );

/** Whether the user gave a credential that no foreign page has. */
export const hasSecretCredential = ({ credentials }: Run): boolean =>
  credentials.secretParameters.length > 0 ||
  credentials.secretProtocols.length > 0 ||
  credentials.isInMessages ||
  (credentials.isInHandshake && !credentials.isAmbient) ||
  credentials.dress("own").lines.length !== credentials.dress("ambient").lines.length;

/**
 * Judges origins that must be refused. What counts is what a page can send; where that is refused for want of a credential, the
 * comparison of origins itself is tried with the credential, and a mistake in it is small.
 */
export async function judgeOrigins(
  run: Run,
  origins: readonly string[],
  judgement: Judgement,
): Promise<Conclusion> {
  const outcomes: Outcome[] = [];
  for (const origin of origins) {
    outcomes.push(
      origin === evilOrigin ? await foreignPage(run) : await run.shake(fromPage(origin)),
    );
  }
  const conclusion = judgeOutcomes(run, outcomes, judgement);
  if (conclusion.verdict !== "pass" || !hasSecretCredential(run)) return conclusion;

  const known = await foreignWithCredential(run);
  if (!isRefusal(known)) {
    const reason = isAccepted(known)
      ? "A foreign page is refused, since it does not know the credential. The origin itself is not compared: whoever has the credential may come from anywhere."
      : judgement.passes;
    return passed(reason, [...conclusion.evidence, run.evidence(known)]);
  }
  const accepted: Outcome[] = [];
  for (const origin of origins.filter((one) => one !== evilOrigin)) {
    const probe = `Origin: ${origin}, with the credential`;
    const outcome = await run.shake({ probe, origin: [origin], credentials: "own" });
    if (isAccepted(outcome)) accepted.push(outcome);
  }
  if (accepted.length === 0) return conclusion;
  return failed(
    `${judgement.fails(accepted)} It takes the credential as well, which a foreign page does not know.`,
    accepted.map(run.evidence),
    "low",
  );
}
