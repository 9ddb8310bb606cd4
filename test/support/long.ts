import { type TestAdapter, testAdapters } from "./gpu.ts";

const LONG = process.env.GPT2_LONG_TESTS === "1";

/**
 * Cases that are the same code in other forms, each of which software drivers take seconds to compile: a few of them in every run, all of them
 * with GPT2_LONG_TESTS=1.
 */
export function someOf<T>(all: readonly T[], few: (one: T, at: number) => boolean): readonly T[] {
  return LONG ? all : all.filter(few);
}

/** The drivers for cases of large kernels, which SwiftShader compiles in a second and llvmpipe in ten: all with GPT2_LONG_TESTS=1. */
export const quickCompilers: readonly TestAdapter[] =
  LONG || !testAdapters.includes("embedded") ? testAdapters : ["embedded"];
