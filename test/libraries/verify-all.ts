import { describe, it } from "vitest";
import { libraries } from "./all.ts";
import type { Behaviour } from "./behaviours.ts";
import type { BehaviourId, Library } from "./library.ts";

declare module "vitest" {
  /** What `npm run compatibility` reads in the reports. */
  interface TaskMeta {
    cell?: { readonly library: string; readonly behaviour: BehaviourId };
    page?: string;
  }
}

/** A test for each cell of these columns. */
export function verifyAll(columns: readonly Behaviour[]): void {
  const cellsOf = ({ lacks }: Library): readonly Behaviour[] =>
    columns.filter(({ id }) => lacks[id] === undefined);
  describe.each(libraries.filter((library) => cellsOf(library).length > 0))("$name", (library) => {
    for (const { id, title, verify } of cellsOf(library)) {
      it(title, ({ task }) => {
        task.meta.cell = { library: library.name, behaviour: id };
        return verify(library);
      });
    }
  });
}
