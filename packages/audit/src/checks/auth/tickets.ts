import { type Check, failed, inconclusive, passed } from "../../check.ts";
import { isAccepted, isRefusal, observationOf } from "../../probe/outcome.ts";
import type { Sketch } from "../../probe/request.ts";
import type { Run } from "../../run.ts";

const atOnce = 5;
const placeholder = /\{ticket\}|%7Bticket%7D/i;

export const ticketOnce: Check = {
  id: "WS-AUTH-5",
  needsNoBaseline: true,
  needsNoControl: true,
  skipsBecause: ({ options, target, credentials }) => {
    if (options.ticket === undefined) return "No way to fetch a ticket was given.";
    const texts = [target.path, ...credentials.dress("own").protocols];
    return texts.some((text) => placeholder.test(text))
      ? undefined
      : "The URL has no {ticket} in it where the ticket belongs.";
  },
  run: async (run) => {
    const one = await sketchWith(run);
    const first = await run.shake(one);
    if (!isAccepted(first)) {
      return inconclusive(`A fresh ticket was not accepted: ${observationOf(first)}.`, [
        run.evidence(first),
      ]);
    }
    const second = await run.shake({ ...one, probe: "The same ticket again" });
    if (isAccepted(second)) {
      return failed("A ticket that had been used was accepted again.", [run.evidence(second)]);
    }
    const other = await sketchWith(run);
    const attempts = await Promise.all(
      Array.from({ length: atOnce }, () =>
        run.open({ ...other, probe: "One ticket, five times at once" }),
      ),
    );
    await Promise.all(attempts.map(({ connection, wire }) => (connection ?? wire)?.close()));
    const outcomes = attempts.map(({ outcome }) => outcome);
    const accepted = outcomes.filter(isAccepted);
    if (accepted.length > 1) {
      return failed(
        `Of ${atOnce} handshakes with one ticket at the same time ${accepted.length} were accepted.`,
        accepted.map(run.evidence),
      );
    }
    return accepted.length === 1 && isRefusal(second)
      ? passed("A ticket was accepted once, also of several at the same time.", [
          run.evidence(second),
        ])
      : inconclusive(
          "None of several handshakes with one ticket was accepted.",
          outcomes.map(run.evidence),
        );
  },
};

async function sketchWith(run: Run): Promise<Sketch> {
  const ticket = (await run.options.ticket?.()) ?? "";
  run.mask.add(ticket);
  const own = run.credentials.dress("own");
  const filled = (text: string): string =>
    text.replace(placeholder, () => encodeURIComponent(ticket));
  return {
    probe: "A fresh ticket",
    credentials: { ...own, path: filled(own.path), protocols: own.protocols.map(filled) },
  };
}
