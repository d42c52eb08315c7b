import type { WayView } from "../protocol.ts";
import { shownPart } from "../shown.ts";
import { attemptAt } from "../ways/measure.ts";
import type { LiveWay } from "../ways/way.ts";
import { wireOf } from "../ways/wire.ts";

/** What a card shows of a way. On the wire it shows what its first button sends. */
export async function wayView(way: LiveWay): Promise<WayView> {
  const { id, title, sentence, guide, acts } = way;
  const [first] = acts;
  const sketch = (await first?.handshakes())?.at(-1);
  return {
    id,
    title,
    sentence,
    guide,
    code: shownCode(way),
    wire: first === undefined || sketch === undefined ? [] : wireOf(way, first, sketch),
    acts: acts.map(({ id, label, sentence, sender, expected }) => ({
      id,
      label,
      sentence,
      sender,
      expected,
    })),
  };
}

/** The code of a way as it runs. */
const shownCode = ({ id, alsoShown = [] }: LiveWay): string =>
  [`ways/${id}.ts`, ...alsoShown].map(shownPart).join("\n\n");

/** By the name that the attempts of each begin with. */
export const titlesOfActs = (ways: readonly LiveWay[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ways.flatMap((way) =>
      way.acts.map((act) => [attemptAt(way, act).split(".")[0], `${way.title}: ${act.label}`]),
    ),
  );
