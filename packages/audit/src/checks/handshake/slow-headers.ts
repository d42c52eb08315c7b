import { type Check, failed, passed } from "../../check.ts";
import type { Line } from "../../credentials.ts";

const length = 8_000;
/** Patterns that take quadratic or cubic time for blanks take none for a word of the same length. */
const slowestFactor = 10;
const leastMs = 150;

export const slowHeaders: Check = {
  id: "WS-HS-8",
  run: async (run) => {
    const blanks = " ".repeat(length);
    const letters = "b".repeat(length);
    const answerMs = async (probe: string, line: Line): Promise<number> =>
      (await run.shake({ probe, lines: [line], isBare: true, isQuick: true })).answerMs;
    const slow: { readonly probe: string; readonly plainMs: number; readonly oddMs: number }[] = [];
    for (const [name, odd] of [
      ["Sec-WebSocket-Protocol", `a${blanks}b`],
      ["Sec-WebSocket-Extensions", `a;b="${"\\".repeat(length)}`],
      ["Sec-WebSocket-Extensions", `a${blanks}b`],
    ] as const) {
      const plainMs = await answerMs(`A long ${name}`, [name, `a${letters}b`]);
      const ask = (): Promise<number> =>
        answerMs(`A long ${name} of blanks or backslashes`, [name, odd]);
      let oddMs = await ask();
      // A pause of a busy machine does not come back; what takes time does.
      if (oddMs > leastMs) oddMs = Math.min(oddMs, await ask(), await ask());
      if (oddMs > leastMs && oddMs > slowestFactor * plainMs) {
        slow.push({ probe: name, plainMs, oddMs });
      }
    }
    return slow.length === 0
      ? passed("Long header values were answered as fast as others.")
      : failed(
          "A header value of 8,000 letters keeps the server busy out of all proportion.",
          slow.map(({ probe, plainMs, oddMs }) => ({
            probe,
            observation: `${Math.round(oddMs)} ms, where a word of the same length takes ${Math.round(plainMs)} ms`,
            durationMs: Math.round(oddMs),
          })),
        );
  },
};
