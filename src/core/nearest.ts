/** The word among `known` that is most like `name`, where one is like it at all. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const far = Math.max(2, name.length / 4);
  const near = known.map((word) => ({ word, edits: distance(word, name) })).filter(({ edits }) => edits <= far);
  return near.sort((a, b) => a.edits - b.edits)[0]?.word;
}

/** Edits that turn one word into another (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
