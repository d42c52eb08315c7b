import { describe, it } from "vitest";
import { libraries } from "./all.ts";
import type { Behaviour } from "./behaviours.ts";
import type { BehaviourId } from "./library.ts";

declare module "vitest" {
  /** What `npm run compatibility` reads in the reports. */
  interface TaskMeta {
    cell?: { readonly library: string; readonly behaviour: BehaviourId };
    page?: string;
  }
}

/** A test for each cell of these columns. */
export function verifyAll(columns: readonly Behaviour[]): void {
  describe.each(libraries)("$name", (library) => {
    for (const { id, title, verify } of columns) {
      if (library.lacks[id] !== undefined) continue;
      it(title, ({ task }) => {
        task.meta.cell = { library: library.name, behaviour: id };
        return verify(library);
      });
    }
  });
}
