/**
 * Cases that are the same code in other forms, each of which software drivers take seconds to compile: a few of them in every run, all of them
 * with GPT2_LONG_TESTS=1.
 */
export function someOf<T>(all: readonly T[], few: (one: T, at: number) => boolean): readonly T[] {
  return process.env.GPT2_LONG_TESTS === "1" ? all : all.filter(few);
}
