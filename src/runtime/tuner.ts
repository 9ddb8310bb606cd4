import type { Tape } from "../autograd/tape.ts";
import type { FloatDType } from "../core/dtype.ts";
import { smallest } from "../core/extremes.ts";
import { attentionOp } from "../kernels/attention.ts";
import { droppedMatmulOp } from "../kernels/dropped-matmul.ts";
import { geluMatmulOp } from "../kernels/gelu-matmul.ts";
import { matricesFor } from "../kernels/gpu/attention/matrices.ts";
import { attentionProducts } from "../kernels/gpu/attention/products.ts";
import { quadsOf } from "../kernels/gpu/attention/rows.ts";
import { TILE_CHOICES, tileForm } from "../kernels/gpu/attention/tiles.ts";
import { cyclesOf, mostSplits } from "../kernels/gpu/matmul/pace.ts";
import {
  defaultSplits,
  defaultVariant,
  fitVariant,
  isTiled,
  type MatmulVariant,
  matmulVariants,
  mayWin,
} from "../kernels/gpu/matmul/variants.ts";
import { type MatmulAttrs, matmulOp } from "../kernels/matmul.ts";
import { normalizedMatmulOp } from "../kernels/normalized-matmul.ts";
import type { AnyOp, TensorType } from "../kernels/op.ts";
import type { Product } from "../kernels/product.ts";
import type { Traits } from "../kernels/traits.ts";
import {
  type AttentionChoice,
  attentionClass,
  type MatmulChoice,
  matmulClass,
  type Tuning,
} from "../kernels/tuning.ts";

/** Attention as far as the choice of its kernels goes. */
export interface AttentionWork {
  readonly batch: number;
  readonly heads: number;
  readonly T: number;
  readonly D: number;
  readonly dtype: FloatDType;
}

/** One class of sizes and the ways to compute it, the default first; the sizes are the largest of their class. */
export type Contest =
  | {
      readonly kind: "matmul";
      readonly class: string;
      readonly work: Product;
      readonly choices: readonly MatmulChoice[];
    }
  | {
      readonly kind: "attention";
      readonly class: string;
      readonly work: AttentionWork;
      readonly choices: readonly AttentionChoice[];
    };

/** A way to compute, checked and compiled. */
export interface Contestant {
  /** What is wrong with its result; then no time counts. */
  readonly failed?: string | undefined;
  /** Does the work, and settles when the device has done it. */
  run(): Promise<void>;
}

/** What a tuner needs from outside. */
export interface Bench {
  /** One contestant for each choice, in order. `close` frees them. */
  open(contest: Contest): Promise<{ readonly contestants: readonly Contestant[]; close(): void }>;
  /** Milliseconds. */
  clock(): number;
  /** Told of each class that is done. */
  onResult?(result: TuningResult): void;
}

export interface TuningResult {
  readonly contest: Contest;
  /** Which of the contest's choices won. */
  readonly winner: number;
  /**
   * Milliseconds of each choice at its best: what else a machine does only ever adds to a time. Undefined where its result
   * was wrong or it was far behind at once.
   */
  readonly best: readonly (number | undefined)[];
}

/** Rounds in which all that are left take turns, so that what else the machine does hits all of them. */
const ROUNDS = 7;
/** Who takes so many times the best of the first round is out, but for the default, which the others are measured by. */
const HOPELESS = 3;
/** The default stays unless another takes less than this share of its time: a close call would be decided by noise. */
const CLEARLY = 0.97;
/** What is reckoned to take so many times the best is not measured; nor, of one variant, stretches of K that cost so much more. */
const FAR = 2;
const CLOSE = 1.1;
/** Variants that explain the others, and are never the fastest. */
const SLOW = new Set(["naive", "registers-scalar"]);

/** Every class of sizes that the tapes have, and in which there is something to choose. */
export function contestsOf(tapes: Iterable<Tape>, traits: Traits): Contest[] {
  const products = new Map<string, Product>();
  const attentions = new Map<string, AttentionWork>();
  for (const tape of tapes) {
    for (const { op, inputs, outputs, attrs } of tape.nodes) {
      if ([matmulOp, geluMatmulOp, droppedMatmulOp, normalizedMatmulOp].some((product) => is(op, product))) {
        const { transposeA = false, transposeB = false } = attrs as Partial<Product>;
        const [M = 0, N = 0] = outputs.y!.shape;
        const types = { a: floatOf(inputs.a), b: floatOf(inputs.b), y: floatOf(outputs.y) };
        // Out of words there is but one way.
        if (inputs.steps || (types.b === "f16" && !traits.f16 && traits.packedHalves)) continue;
        const exact = is(op, normalizedMatmulOp) || (attrs as MatmulAttrs).exact;
        const product = { M, N, K: inputs.a!.shape[transposeA ? 0 : 1] ?? 0, transposeA, transposeB, types, exact };
        const known = products.get(matmulClass(product));
        if (M * N * product.K > 0 && (!known || volume(product) > volume(known)))
          products.set(matmulClass(product), product);
      }
      if (is(op, attentionOp)) {
        const { batch, heads } = attrs as AttentionWork;
        const [rows = 0, columns = 0] = inputs.qkv!.shape;
        const work = { batch, heads, T: rows / batch, D: columns / 3 / heads, dtype: floatOf(inputs.qkv) };
        const known = attentions.get(attentionClass(work));
        if (!known || work.batch * work.T > known.batch * known.T) attentions.set(attentionClass(work), work);
      }
    }
  }
  const all: Contest[] = [
    ...[...products].map(([name, work]): Contest => {
      return { kind: "matmul", class: name, work, choices: matmulChoices(work, traits) };
    }),
    ...[...attentions].map(([name, work]): Contest => {
      return { kind: "attention", class: name, work, choices: attentionChoices(work, traits) };
    }),
  ];
  return all.filter(({ choices }) => choices.length > 1);
}

function is(op: AnyOp, other: unknown): boolean {
  return op === other;
}

function floatOf(type: TensorType | undefined): FloatDType {
  return type?.dtype === "f16" ? "f16" : "f32";
}

function volume({ M, N, K }: Product): number {
  return M * N * K;
}

/** Every variant that fits and may win, with K whole or cut where y has few tiles; the default first. */
function matmulChoices(product: Product, traits: Traits): MatmulChoice[] {
  const untuned = { ...traits, tuning: undefined };
  const variant = defaultVariant(product, untuned);
  const first = { variant: variant.name, splits: defaultSplits(product, variant, untuned) };
  const fitting = matmulVariants
    .filter((other) => !SLOW.has(other.name) && mayWin(other, untuned))
    // Where matrix units multiply, all else is many times slower.
    .filter((other) => !variant.matrices || other.matrices)
    .flatMap((other) => fitVariant(other, product, untuned) ?? []);
  const all = fitting.flatMap((other) => splitsToTry(product, other, untuned).map((splits) => ({ other, splits })));
  const most = mostCycles(product, fitting, untuned);
  const others = all
    .filter(({ other, splits }) => !reckoned(product, other, untuned) || cyclesOf(product, other, splits) <= most)
    .map(({ other, splits }) => ({ variant: other.name, splits }));
  return [first, ...others.filter(({ variant, splits }) => variant !== first.variant || splits !== first.splits)];
}

function reckoned(product: Product, variant: MatmulVariant, { software }: Traits): boolean {
  return !software && isTiled(product, variant);
}

/** What by sizes alone takes more is not worth the time of measuring it. */
function mostCycles(product: Product, fitting: readonly MatmulVariant[], traits: Traits): number {
  const least = fitting
    .filter((variant) => reckoned(product, variant, traits))
    .map((variant) => cyclesOf(product, variant, defaultSplits(product, variant, traits)));
  return FAR * smallest(least);
}

/** K whole, as it is cut by default, and twice that, but for what by sizes alone costs much: how many units a GPU has is not known. */
function splitsToTry(product: Product, variant: MatmulVariant, traits: Traits): number[] {
  // Two cores are kept busy by a few tiles: a second pass over partial sums only costs.
  if (traits.software) return [1];
  const usual = defaultSplits(product, variant, traits);
  const wanted = [...new Set([1, usual, 2 * usual])].filter((splits) => splits <= mostSplits(product));
  if (!reckoned(product, variant, traits)) return wanted;
  const most = CLOSE * cyclesOf(product, variant, usual);
  return wanted.filter((splits) => cyclesOf(product, variant, splits) <= most);
}

/** The default first. Kernels with private arrays take a software driver minutes to compile: they are no choice there. */
function attentionChoices(work: AttentionWork, traits: Traits): AttentionChoice[] {
  const products: AttentionChoice[] = attentionProducts(work, traits) ? ["products"] : [];
  if (traits.software) return [...products, "panels"];
  const { can, worth } = quadsOf(work, traits);
  const rows: AttentionChoice[] = worth ? ["quads", "rows"] : can ? ["rows", "quads"] : ["rows"];
  const tiles = TILE_CHOICES.filter((name) => tileForm(name, work, traits));
  return [...rows, ...matricesFor(work, traits), ...tiles, "panels", ...products];
}

/** Measures contests one after another. What it gives depends on the clock and on nothing else. */
export async function tune(contests: readonly Contest[], bench: Bench): Promise<Tuning> {
  const matmul: Record<string, MatmulChoice> = {};
  const attention: Record<string, AttentionChoice> = {};
  for (const contest of contests) {
    const result = await decide(contest, bench);
    bench.onResult?.(result);
    if (contest.kind === "matmul") matmul[contest.class] = contest.choices[result.winner]!;
    else attention[contest.class] = contest.choices[result.winner]!;
  }
  return { matmul, attention };
}

async function decide(contest: Contest, bench: Bench): Promise<TuningResult> {
  const { contestants, close } = await bench.open(contest);
  const time = async (contestant: Contestant): Promise<number> => {
    const start = bench.clock();
    await contestant.run();
    return bench.clock() - start;
  };
  try {
    const times: number[][] = contestants.map(() => []);
    let left: number[] = [];
    for (const [i, contestant] of contestants.entries()) {
      if (contestant.failed !== undefined) continue;
      await contestant.run(); // the first run compiles
      times[i]!.push(await time(contestant));
      left.push(i);
    }
    const fastest = Math.min(...left.map((i) => times[i]![0]!));
    left = left.filter((i) => i === 0 || times[i]![0]! <= HOPELESS * fastest);
    for (let round = 1; round < ROUNDS; round++) {
      for (const i of left) times[i]!.push(await time(contestants[i]!));
    }
    const best = contestants.map((_, i) => (left.includes(i) ? Math.min(...times[i]!) : undefined));
    return { contest, winner: winnerOf(best), best };
  } finally {
    close();
  }
}

function winnerOf(times: readonly (number | undefined)[]): number {
  let winner = 0;
  times.forEach((time, i) => {
    if (time === undefined) return;
    const leader = times[winner];
    const least = winner === 0 ? CLEARLY : 1;
    if (leader === undefined || time < least * leader) winner = i;
  });
  return winner;
}
