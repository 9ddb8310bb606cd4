import fc from "fast-check";
import { expect, test } from "vitest";
import { addMerge, type Bpe, emptyBpe, mergeBytes, recoverMerges } from "../../src/text/bpe.ts";

/** 256 bytes, then a token for each given string over them. */
function tokensOf(...words: string[]): Uint8Array[] {
  const encoder = new TextEncoder();
  return [...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)), ...words.map((w) => encoder.encode(w))];
}

/** The textbook algorithm: again and again the leftmost pair of the lowest rank. */
function slowMerge(bpe: Bpe, bytes: Uint8Array): number[] {
  const ids = Array.from(bytes, (byte) => bpe.byteIds[byte]!);
  while (true) {
    const ranks = ids.slice(1).map((right, i) => bpe.ranks.get(ids[i]! * bpe.tokens.length + right) ?? Infinity);
    const lowest = Math.min(...ranks);
    if (lowest === Infinity) return ids;
    ids.splice(ranks.indexOf(lowest), 2, bpe.merged[lowest]!);
  }
}

test("merges by rank, then from the left, as the textbook algorithm does", () => {
  const merges = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 25 });
  const letters = fc.array(fc.constantFrom(97, 98, 99), { maxLength: 40 }).map((codes) => Uint8Array.from(codes));
  fc.assert(
    fc.property(merges, letters, (pairs, given) => {
      const tokens = tokensOf();
      const usable = [97, 98, 99];
      const chosen: [number, number, number][] = [];
      for (const [a, b] of pairs) {
        const [left, right] = [usable[a % usable.length]!, usable[b % usable.length]!];
        if (chosen.some(([l, r]) => l === left && r === right)) continue;
        chosen.push([left, right, tokens.length]);
        usable.push(tokens.length);
        tokens.push(Uint8Array.from([...tokens[left]!, ...tokens[right]!]));
      }
      const bpe = emptyBpe(tokens);
      for (const merge of chosen) addMerge(bpe, ...merge);
      expect([...mergeBytes(bpe, given)]).toEqual(slowMerge(bpe, given));
    }),
    { numRuns: 500 },
  );
});

test("an odd run merges from the left", () => {
  const bpe = recoverMerges(tokensOf("aa"));
  expect([...mergeBytes(bpe, new TextEncoder().encode("aaaaa"))]).toEqual([256, 256, 97]);
});

test("merges are recovered from tokens in order of rank", () => {
  const bpe = recoverMerges(tokensOf("th", "he", "the", " the"));
  expect(bpe.parts).toEqual([
    [0x74, 0x68],
    [0x68, 0x65],
    [256, 0x65],
    [0x20, 258],
  ]);
});

test("a token that earlier ones cannot make is refused", () => {
  expect(() => recoverMerges(tokensOf("abc"))).toThrow(/token 256 is not a merge of two earlier tokens/);
  expect(() => recoverMerges(tokensOf("ab", "ab"))).toThrow(/token 257/);
});

test("a vocabulary without one of the bytes is refused", () => {
  expect(() => emptyBpe(tokensOf().slice(0, 255))).toThrow(/no token for byte 255/);
});
