/**
 * The largest of some numbers, and at least `least`. In a loop: as arguments of `Math.max`, some 100,000 numbers overflow the
 * stack. NaN where one is.
 */
export function largest(values: Iterable<number>, least = Number.NEGATIVE_INFINITY): number {
  let most = least;
  for (const value of values) most = Math.max(most, value);
  return most;
}

/** The smallest of some numbers, and at most `most`; as `largest`. */
export function smallest(values: Iterable<number>, most = Number.POSITIVE_INFINITY): number {
  let least = most;
  for (const value of values) least = Math.min(least, value);
  return least;
}
