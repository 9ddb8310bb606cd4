import { createTape, type Tape } from "../autograd/tape.ts";
import { userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { attention } from "../kernels/attention.ts";
import { crossEntropyOp, IGNORED_LABEL } from "../kernels/cross-entropy.ts";
import { f32, type TensorType } from "../kernels/op.ts";
import { requireWeights } from "../model/arena.ts";
import type { Gpt2Config } from "../model/config.ts";
import { gpt2Logits, gpt2TrunkWith } from "../model/gpt2.ts";
import { declareParameters, type ParameterLayout } from "../model/parameters.ts";
import type { Program, Runtime } from "../runtime/runtime.ts";
import { notFinite } from "./decoder.ts";

/** How likely a model finds texts that exist. */
export interface Scorer {
  /**
   * For each sequence of n ids (2 or more, at most the context length + 1), the log-probability of each but the first,
   * n - 1 natural logarithms, given those before it. Throws `UserError` where they are not finite: the weights are not, either.
   */
  score(sequences: readonly ArrayLike<number>[]): Promise<Float64Array[]>;
  dispose(): void;
}

/** Bytes of logits that exist at one time, and the step in rows that lets parts of labels be bound. */
const LOGITS_BYTES = 64 * 1024 * 1024;
const ROW_STEP = 64;

/** Scores with the parameters that `runtime` holds; a few plans serve all lengths. */
export function createScorer(runtime: Runtime, config: Gpt2Config, layout: ParameterLayout): Scorer {
  const plans = new Map<string, Promise<Program>>();

  function planFor(batch: number, places: number): Promise<Program> {
    const key = `${batch} ${places}`;
    const known = plans.get(key);
    if (known) return known;
    const plan = runtime.compile(scoreTape(config, layout, batch, places));
    plans.set(key, plan);
    return plan;
  }

  return {
    async score(given) {
      if (given.length === 0) return [];
      const sequences = given.map((ids, i) => checkedIds(ids, i, config));
      requireWeights(runtime, layout, "score");
      const longest = largest(sequences.map((ids) => ids.length - 1));
      const places = Math.min(config.contextLength, Math.ceil(longest / ROW_STEP) * ROW_STEP);
      const [batch, n] = [sequences.length, sequences.length * places];
      const [tokens, labels] = [new Uint32Array(n), new Int32Array(n).fill(IGNORED_LABEL)];
      sequences.forEach((ids, row) => {
        tokens.set(ids.slice(0, -1), row * places);
        labels.set(ids.slice(1), row * places);
      });
      const { losses } = await (await planFor(batch, places)).run({
        tokens,
        labels,
        positions: tokens.map((_, i) => i % places),
        lengths: Uint32Array.from(sequences, (ids) => ids.length - 1),
      });
      // Those of padding are 0.
      if (!losses!.every(Number.isFinite)) throw notFinite(layout.precision ?? "f32");
      return sequences.map((ids, row) => {
        const start = row * places;
        return Float64Array.from(losses!.subarray(start, start + ids.length - 1), (loss) => -loss);
      });
    },
    dispose() {
      for (const plan of plans.values()) plan.then((program) => program.dispose()).catch(() => {});
      plans.clear();
    },
  };
}

/** No kernel checks ids. */
function checkedIds(given: ArrayLike<number>, index: number, { vocabSize, contextLength }: Gpt2Config): number[] {
  if (typeof given !== "object")
    userError(
      `score: sequence ${index} is ${typeof given === "string" ? "a text" : given}; wanted its ids: tokenizer.encode(text)`,
    );
  const ids = Array.from(given);
  if (ids.length < 2 || ids.length > contextLength + 1)
    userError(
      `score: sequence ${index} has ${ids.length} ids; wanted 2 to ${contextLength + 1}, the context and one to predict`,
    );
  const bad = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
  if (bad !== undefined) userError(`score: sequence ${index} has id ${bad}; wanted ids from 0 to ${vocabSize - 1}`);
  return ids;
}

/** The cross-entropy [B T] of each label. Inputs: tokens, positions u32 [B T], labels i32 [B T], lengths u32 [B]. */
function scoreTape(config: Gpt2Config, layout: ParameterLayout, batch: number, places: number): Tape {
  const tape = createTape();
  const parameters = declareParameters(tape, layout);
  const n = batch * places;
  const ids: TensorType = { dtype: "u32", shape: [n] };
  const [tokens, positions] = [tape.input("tokens", ids), tape.input("positions", ids)];
  const labels = tape.input("labels", { dtype: "i32", shape: [n] });
  const lengths = tape.input("lengths", { dtype: "u32", shape: [batch] });
  const hidden = gpt2TrunkWith(config, parameters, { tokens, positions }, (qkv) =>
    attention(qkv, lengths, { batch, heads: config.heads, dropout: 0, stream: 0 }),
  );
  const losses = tape.buffer(f32([n]));
  const fit = Math.floor(LOGITS_BYTES / (4 * config.vocabSize) / ROW_STEP) * ROW_STEP;
  const rows = Math.max(ROW_STEP, fit);
  for (let at = 0; at < n; at += rows) {
    const count = Math.min(rows, n - at);
    const logits = gpt2Logits(config, parameters, tape.view(hidden, at * config.width, [count, config.width]));
    const { loss } = crossEntropyOp.apply({ logits, labels: tape.view(labels, at, [count]) });
    tape.place(loss, losses, at);
  }
  tape.output("losses", losses);
  return tape;
}
