import fc from "fast-check";
import { expect, it } from "vitest";
import { DeadlineHeap, type Due } from "../../packages/node/src/connections/deadline-heap.ts";

const dueAt = fc.integer({ min: 0, max: 50 });
const order = fc.oneof(
  fc.record({ do: fc.constant("add" as const), dueAt }),
  fc.record({ do: fc.constant("move" as const), dueAt, of: fc.nat() }),
  fc.record({ do: fc.constant("remove" as const), of: fc.nat() }),
);

it("has the most urgent first, whatever was added, moved and taken out before", () => {
  fc.assert(
    fc.property(fc.array(order, { maxLength: 200 }), (orders) => {
      const heap = new DeadlineHeap<Due>();
      const items: Due[] = [];
      for (const one of orders) {
        if (one.do === "add") {
          const item = { dueAt: one.dueAt, place: -1 };
          items.push(item);
          heap.add(item);
        }
        const at = one.do === "add" || items.length === 0 ? -1 : one.of % items.length;
        const item = items[at];
        if (one.do === "move" && item !== undefined) {
          item.dueAt = one.dueAt;
          heap.moved(item);
        }
        if (one.do === "remove" && item !== undefined) {
          items.splice(at, 1);
          heap.remove(item);
          heap.remove(item);
          expect(item.place).toBe(-1);
        }
        expect(heap.size).toBe(items.length);
        expect(heap.first?.dueAt).toBe(items.map((each) => each.dueAt).sort((a, b) => a - b)[0]);
        expect(new Set(heap)).toEqual(new Set(items));
      }
    }),
  );
});

it("goes on where items leave while it is walked", () => {
  const heap = new DeadlineHeap<Due>();
  const items = [5, 3, 1, 4].map((time) => ({ dueAt: time, place: -1 }));
  for (const item of items) heap.add(item);
  let seen = 0;
  for (const item of heap) {
    heap.remove(item);
    seen++;
  }
  expect([seen, heap.size]).toEqual([4, 0]);
});
