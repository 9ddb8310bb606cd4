import fc from "fast-check";
import { expect, test } from "vitest";
import { assignSlots, type Lifetime } from "../../src/runtime/memory.ts";

const lifetimes = fc
  .array(fc.record({ bytes: fc.integer({ min: 1, max: 1000 }), first: fc.nat(30), length: fc.nat(10) }), {
    maxLength: 40,
  })
  .map((all) =>
    all.map(({ bytes, first, length }, key): Lifetime<number> => ({ key, bytes, first, last: first + length })),
  );

test("no two tensors that live at once share a slot, and each fits its slot", () => {
  fc.assert(
    fc.property(lifetimes, (all) => {
      const { slots, slotOf } = assignSlots(all);
      for (const a of all) {
        expect(slots[slotOf.get(a.key)!]).toBeGreaterThanOrEqual(a.bytes);
        for (const b of all) {
          const overlap = a.key !== b.key && a.first <= b.last && b.first <= a.last;
          if (overlap) expect(slotOf.get(a.key)).not.toBe(slotOf.get(b.key));
        }
      }
    }),
  );
});

test("slots are used again: no more of them than tensors that live at once", () => {
  fc.assert(
    fc.property(lifetimes, (all) => {
      const alive = Array.from(
        { length: 50 },
        (_, at) => all.filter(({ first, last }) => first <= at && at <= last).length,
      );
      expect(assignSlots(all).slots.length).toBeLessThanOrEqual(Math.max(0, ...alive));
    }),
  );
});
