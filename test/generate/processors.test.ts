import { describe, expect, test } from "vitest";
import { tokenAt } from "../../src/core/processors.ts";
import { nextTokenDistribution } from "../../src/generate/processors.ts";

const NO = Number.NEGATIVE_INFINITY;
const logits = [1, 3, 2, 3, -1e30];
const sampled = (rules: object): number[] => [...nextTokenDistribution(logits, [], { doSample: true, ...rules })];
const kept = (rules: object): number[] => sampled(rules).flatMap((p, id) => (p > 0 ? [id] : []));

describe("the distribution", () => {
  test("temperature divides, the sum is 1", () => {
    const p = sampled({ temperature: 0.5 });
    expect(p.reduce((sum, x) => sum + x, 0)).toBeCloseTo(1, 12);
    expect(p[1]! / p[2]!).toBeCloseTo(Math.exp(2), 9);
  });

  test("top-k keeps ties with the last one kept", () => {
    expect(sampled({ topK: 1 })).toEqual([0, 0.5, 0, 0.5, 0]);
    expect(kept({ topK: 3 })).toEqual([1, 2, 3]);
  });

  test("top-p keeps the fewest that reach it, at least one, and ties with the last", () => {
    // 0.4223, 0.4223, 0.1554 for 3, 3, 2, without the rest
    expect(kept({ topK: 3, topP: 0.5 })).toEqual([1, 3]);
    expect(kept({ topK: 3, topP: 0.84 })).toEqual([1, 3]);
    expect(kept({ topK: 3, topP: 0.85 })).toEqual([1, 2, 3]);
    expect(kept({ topP: 1e-9 })).toEqual([1, 3]);
  });

  test("min-p is relative to the best", () => {
    expect(kept({ minP: Math.exp(-1) + 1e-9 })).toEqual([1, 3]);
    expect(kept({ minP: Math.exp(-1) - 1e-9 })).toEqual([1, 2, 3]);
  });

  test("without sampling, the first of equals", () => {
    expect([...nextTokenDistribution(logits, [], {})]).toEqual([0, 1, 0, 0, 0]);
  });
});

describe("scores by what came before", () => {
  const best = (rules: object, ids: number[], values = [5, 4, 3, -1]): number =>
    nextTokenDistribution(values, ids, rules).indexOf(1);

  test("the repetition penalty divides what is above 0 and multiplies what is below, once for each token", () => {
    expect(best({ repetitionPenalty: 1.3 }, [0, 0, 0])).toBe(1);
    expect(best({ repetitionPenalty: 1.2 }, [0, 0, 0])).toBe(0);
    expect(best({ repetitionPenalty: 2.9 }, [1], [-3, -1])).toBe(1);
    expect(best({ repetitionPenalty: 4 }, [1], [-3, -1])).toBe(0);
  });

  test("no n-gram comes twice", () => {
    expect(best({ noRepeatNgramSize: 2 }, [2, 0, 1, 2])).toBe(1);
    expect(best({ noRepeatNgramSize: 3 }, [2, 0, 1, 2])).toBe(0);
    expect(best({ noRepeatNgramSize: 1 }, [0, 1])).toBe(2);
  });

  test("bad words, of one token and of more", () => {
    expect(best({ badWordsIds: [[0]] }, [3])).toBe(1);
    expect(
      best(
        {
          badWordsIds: [
            [3, 0],
            [2, 1],
          ],
        },
        [3],
      ),
    ).toBe(1);
    expect(best({ badWordsIds: [[1, 3, 0]] }, [3])).toBe(0);
  });

  test("no end before the least length", () => {
    expect(best({ endIds: [0, 1], minLength: 2 }, [3])).toBe(2);
    expect(best({ endIds: [0, 1], minLength: 2 }, [3, 3])).toBe(0);
  });
});

test("a banned token is never drawn", () => {
  const p = nextTokenDistribution([NO, 0, NO, 0], [], { doSample: true });
  expect([...p]).toEqual([0, 0.5, 0, 0.5]);
  expect([0, 0.49, 0.5, 0.9999999].map((point) => tokenAt(p, point))).toEqual([1, 1, 3, 3]);
});
