import { createTape, type Tape } from "../autograd/tape.ts";
import { byteLength, type Format } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { createGenerator, type Generator } from "../generate/generate.ts";
import { FORMAT_OF_BITS } from "../generate/options.ts";
import { cacheTypes } from "../kernels/layer-cache.ts";
import { ARENA, writeArena } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type DecodeShape, decodeTape, prefillTape, usualCache } from "../model/decode.ts";
import {
  declareParameters,
  layoutParameters,
  type ParameterLayout,
  packParameters,
  unpackParameters,
} from "../model/parameters.ts";
import { createCpuRuntime } from "../runtime/cpu.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { median } from "./measure.ts";
import { type Peak, ratesOf } from "./rates.ts";
import { OURS, type Row } from "./row.ts";
import { shareRows } from "./shares.ts";
import { stepParameters } from "./step-program.ts";
import type { StepSize } from "./step-sizes.ts";

export interface GenerateEffort {
  readonly newTokens: number;
  readonly samples: number;
  /** Sequences side by side. */
  readonly batches: readonly number[];
  /** Tokens of each prompt; 8 where absent. */
  readonly promptTokens?: number | undefined;
  /** What weights are kept as; f32 where absent. */
  readonly precision?: Format | undefined;
  /** See `GenerateOptions`. */
  readonly kvBits?: 8 | 16 | 32 | undefined;
}

export const GENERATE_EFFORT = {
  full: { newTokens: 48, samples: 5, batches: [1, 8] },
  quick: { newTokens: 8, samples: 2, batches: [1] },
} as const;

/** Of 8 bits, steps with them. */
const BYTES_OF_WEIGHT = { f32: 4, f16: 2, i8: 1 + 1 / 16 } as const satisfies Record<Format, number>;

const PROMPT = 8;
const TOKENS_CHECKED = 4;

/** What generation computes with each number of sequences, as far as the sizes of its products go. */
export function generateTapes({ config }: StepSize, precision: Format = "f32"): Tape[] {
  const layout = layoutParameters(config, { precision });
  return GENERATE_EFFORT.full.batches.flatMap((rows) => {
    const shape = { rows, places: config.contextLength, settings: 64 };
    const prefill = prefillTape(config, layout, shape, { prompts: 1, length: PROMPT }, "logits");
    return [prefill, decodeTape(config, layout, shape, "logits")];
  });
}

/**
 * Tokens a second, the time of the first token apart; after checking that the reference continues a prompt alike. The runtime is
 * this one's, and closed.
 */
export async function benchGenerate(
  runtime: Runtime,
  { name, config }: StepSize,
  peak: Peak,
  effort: GenerateEffort,
): Promise<Row[]> {
  const { promptTokens = PROMPT, kvBits, precision = "f32" } = effort;
  const cached = kvBits ? `, cache of ${kvBits} bits` : "";
  const work = `generate ${name.split(" B")[0]}${precision === "f32" ? "" : ` in ${precision}`}${cached}`;
  const common = { system: OURS, device: runtime.name };
  try {
    const { arena } = stepParameters({ name, config, shape: { batch: 1, context: 1 } });
    const layout = layoutParameters(config, { precision });
    const packed = packParameters(layout, unpackParameters(layoutParameters(config), arena));
    const open = async (on: Runtime): Promise<Generator> => {
      const tape = createTape();
      declareParameters(tape, layout);
      (await on.compile(tape)).dispose();
      writeArena(on, layout, ARENA.parameters, packed);
      return createGenerator(on, config, layout);
    };
    const generator = await open(runtime);
    const reference = await open(createCpuRuntime());
    const prompt = Array.from({ length: promptTokens }, (_, i) => (i * 7 + 3) % config.vocabSize);
    const greedy = { maxNewTokens: TOKENS_CHECKED, doSample: false, eosTokenId: null, kvBits };
    // The reference takes long over long ones.
    const [got] = await generator.generate([prompt.slice(0, PROMPT)], greedy);
    const [wanted] = await reference.generate([prompt.slice(0, PROMPT)], greedy);
    reference.dispose();
    if (`${got?.ids}` !== `${wanted?.ids}`) {
      return [
        { ...common, work, failed: `wrong result: continues with ${got?.ids}, the reference with ${wanted?.ids}` },
      ];
    }
    const rows: Row[] = [];
    for (const batch of effort.batches) {
      const { first, token } = await timeTokens(generator, prompt, batch, effort);
      // Each token reads every weight once, whatever the number of sequences; the position table's rows aside.
      const weights = arena.length - config.contextLength * config.width;
      // And the keys and values of what is there halfway, of its own sequence each.
      const places = Math.min(config.contextLength, promptTokens + (effort.newTokens >> 1));
      const kept = 2 * config.layers * config.width * places * batch;
      const format = kvBits ? FORMAT_OF_BITS[kvBits] : usualCache({ precision });
      const { keys, values } = cacheTypes(batch, places, config.heads, config.width / config.heads, format);
      const cacheBytes = config.layers * byteLength(keys.dtype, sizeOf(keys.shape) + sizeOf(values.shape));
      // Of vectors, a ten-thousandth, too.
      const bytes = BYTES_OF_WEIGHT[precision] * weights + cacheBytes;
      const named = `${work}, ${batch} ${batch === 1 ? "sequence" : "sequences"} of ${promptTokens} + ${effort.newTokens} tokens`;
      rows.push({
        ...common,
        work: named,
        median_ms: token,
        samples: effort.samples,
        tokens_per_s: (1000 * batch) / token,
        first_token_ms: first,
        ...ratesOf({ flops: 2 * (weights * batch + kept), halfFlops: 0, bytes }, token, peak),
      });
      const shares = await sharesOfToken(
        runtime,
        { config, layout },
        { rows: batch, places, settings: 64, cache: format },
        peak,
        token,
      );
      for (const row of shares) rows.push({ ...common, ...row, work: `${named}: ${row.work}` });
    }
    generator.dispose();
    return rows;
  } catch (reason) {
    return [{ ...common, work, failed: reason instanceof Error ? reason.message : String(reason) }];
  } finally {
    runtime.close();
  }
}

/** Of one more token in the last place of all, choosing it apart. */
async function sharesOfToken(
  runtime: Runtime,
  { config, layout }: { readonly config: Gpt2Config; readonly layout: ParameterLayout },
  shape: DecodeShape,
  peak: Peak,
  ms: number,
) {
  const { rows, places } = shape;
  const tape = decodeTape(config, layout, shape, "logits");
  const program = await runtime.compile(tape);
  const table = Uint32Array.from({ length: rows * places }, (_, i) => Math.floor(i / places));
  const inputs = { tokens: new Uint32Array(rows), positions: new Uint32Array(rows).fill(places - 1), table };
  const shares = await shareRows({ tape, program }, () => inputs, peak, ms);
  await program.dispose();
  return shares;
}

/** What small models are timed for at least, in milliseconds: a token of theirs takes less than what disturbs it. */
const LEAST_MS = 100;

/** Milliseconds to the first token, and of each later one, which all sequences get at once. */
async function timeTokens(generator: Generator, prompt: readonly number[], batch: number, effort: GenerateEffort) {
  const prompts = Array.from({ length: batch }, () => prompt);
  const time = async (maxNewTokens: number, seed: number): Promise<number> => {
    const start = performance.now();
    const { kvBits } = effort;
    await generator.generate(prompts, { maxNewTokens, doSample: true, topK: 50, seed, eosTokenId: null, kvBits });
    return performance.now() - start;
  };
  // Plans are made at the first call of each length.
  await time(effort.newTokens, 0);
  await time(1, 0);
  const [firsts, wholes]: [number[], number[]] = [[], []];
  const began = performance.now();
  for (let i = 1; i <= effort.samples || performance.now() - began < LEAST_MS; i++) {
    firsts.push(await time(1, i));
    wholes.push(await time(effort.newTokens, i));
  }
  const [first, whole] = [median(firsts), median(wholes)];
  const later = (whole - first) / (effort.newTokens - 1);
  // Where other programs took more of the first than all others take, it is one of them: more than a token takes.
  return { first, token: later > 0 ? later : whole / effort.newTokens };
}
