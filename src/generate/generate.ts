import { createTape, type Tape } from "../autograd/tape.ts";
import { embedding } from "../kernels/embedding.ts";
import { packStep } from "../kernels/step.ts";
import type { Gpt2Config } from "../model/config.ts";
import { type BatchShape, declareInputs, gpt2Logits, gpt2Trunk } from "../model/gpt2.ts";
import { declareParameters, type ParameterLayout } from "../model/parameters.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { drawToken, type SamplingOptions, samplingDistribution, samplingPoint } from "./sampling.ts";

export interface GenerateOptions extends SamplingOptions {
  /** New tokens a sequence may have, its end token included. The context length limits them too. */
  readonly maxNewTokens: number;
  /** The token that ends a sequence; null: none does. */
  readonly endId: number | null;
  readonly seed: number;
}

/** One continuation of a prompt. */
export interface Generated {
  /** New tokens, without the end token. */
  readonly ids: readonly number[];
  /** "end": the model ended it; "length": it reached maxNewTokens; "context": it filled the context. */
  readonly stopped: "end" | "length" | "context";
}

/** Places that a plan has more of than the one before it: a few plans serve all lengths. */
const CONTEXT_STEP = 16;

export interface Generator {
  /** Continues each prompt, which holds at least one id; row i draws from stream i of the seed. */
  generate(prompts: readonly (readonly number[])[], options: GenerateOptions): Promise<Generated[]>;
  dispose(): void;
}

/** Samples from the parameters that `runtime` holds, computing each whole sequence again for every token. */
export function createGenerator(runtime: Runtime, config: Gpt2Config, layout: ParameterLayout): Generator {
  const plans = new Map<string, Promise<Program>>();

  function planFor(shape: BatchShape): Promise<Program> {
    const key = `${shape.batch} ${shape.context}`;
    const known = plans.get(key);
    if (known) return known;
    const plan = runtime.compile(nextTokenTape(config, layout, shape));
    plans.set(key, plan);
    return plan;
  }

  async function nextLogits(sequences: readonly number[][]): Promise<Float32Array[]> {
    const longest = Math.max(...sequences.map((ids) => ids.length));
    const context = Math.min(config.contextLength, Math.ceil(longest / CONTEXT_STEP) * CONTEXT_STEP);
    const shape = { batch: sequences.length, context };
    const tokens = new Uint32Array(shape.batch * context);
    sequences.forEach((ids, row) => {
      tokens.set(ids, row * context);
    });
    const plan = await planFor(shape);
    const { logits } = await plan.run({
      tokens,
      positions: tokens.map((_, i) => i % context),
      lengths: Uint32Array.from(sequences, (ids) => ids.length),
      last: Uint32Array.from(sequences, (ids, row) => row * context + ids.length - 1),
      step: packStep({ seed: 0, step: 0, learningRate: 0, lossScale: 1 }),
    });
    const v = config.vocabSize;
    return sequences.map((_, row) => Float32Array.from(logits!.subarray(row * v, (row + 1) * v)));
  }

  async function generate(prompts: readonly (readonly number[])[], options: GenerateOptions): Promise<Generated[]> {
    const sequences = prompts.map((prompt) => [...prompt]);
    const results = prompts.map((): Generated | undefined => undefined);
    for (;;) {
      const open = sequences.flatMap((_, row) => (results[row] ? [] : [row]));
      for (const row of open) {
        const ids = sequences[row]!.slice(prompts[row]!.length);
        if (ids.length >= options.maxNewTokens) results[row] = { ids, stopped: "length" };
        else if (sequences[row]!.length >= config.contextLength) results[row] = { ids, stopped: "context" };
      }
      const running = open.filter((row) => !results[row]);
      if (running.length === 0) return results.map((result) => result!);
      const logits = await nextLogits(sequences);
      for (const row of running) {
        const sequence = sequences[row]!;
        const point = samplingPoint(options.seed, row, sequence.length);
        const id = drawToken(samplingDistribution(logits[row]!, options), point);
        if (id === options.endId) results[row] = { ids: sequence.slice(prompts[row]!.length), stopped: "end" };
        else sequence.push(id);
      }
    }
  }

  return {
    generate,
    dispose() {
      for (const plan of plans.values()) plan.then((program) => program.dispose());
    },
  };
}

/** The logits [B, V] of what follows the last token of each record. `last`: u32 [B], those tokens' places. */
function nextTokenTape(config: Gpt2Config, layout: ParameterLayout, shape: BatchShape): Tape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout);
  const inputs = declareInputs(tape, shape, false);
  const last = tape.input("last", { dtype: "u32", shape: [shape.batch] });
  const hidden = gpt2Trunk(config, parameters, inputs, shape, false);
  tape.output("logits", gpt2Logits(config, parameters, embedding(last, hidden)));
  return tape;
}
