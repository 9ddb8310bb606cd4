/**
 * What many ranks should be worth: `npx tsx scripts/rank-efficiency.ts` prints the table of docs/many-machines.md, from the step of GPT-2 124M that one
 * H200 was measured with (bench/results/h200-step-gpt2*.json) and a stated bandwidth of everything else.
 */
import { readFileSync } from "node:fs";
import { gpt2Config } from "../src/model/config.ts";
import { exposed, type Trained, trainedOf } from "./rank-overlap.ts";

/** Bytes a second: the network, PCIe, and a processor's sum, which counts the bytes of what is added. */
const [NETWORK, PCIE, SUM] = [25e9, 25e9, 10e9];
const CONTEXT = 1024;

/** Of a step of GPT-2 124M, 4 records of 1024 tokens. */
function measured(file: string): number {
  const { rows } = JSON.parse(readFileSync(new URL(`../bench/results/${file}.json`, import.meta.url), "utf8"));
  return (rows as { work: string; median_ms: number }[]).find(({ work }) => work.startsWith("step gpt2"))!.median_ms;
}

const MODELS = { "124M": { width: 768, layers: 12, heads: 12 }, "1.5B": { width: 1600, layers: 48, heads: 25 } };
const STEPS = { f32: measured("h200-step-gpt2"), f16: measured("h200-step-gpt2-f16") };

interface Model extends Trained {
  readonly flopsPerToken: number;
}

function modelOf({ width, layers, heads }: { width: number; layers: number; heads: number }): Model {
  const trained = trainedOf(gpt2Config({ vocabSize: 50257, contextLength: CONTEXT, width, layers, heads }));
  return { ...trained, flopsPerToken: 6 * trained.parameters + 12 * layers * width * CONTEXT };
}

const MEASURED = modelOf(MODELS["124M"]);

/** Milliseconds of one batch, at the rate of arithmetic that was measured, and of what each batch, or each step, adds to it. `step`: as measured. */
function costs({ parameters, flopsPerToken }: Model, step: number, batch: number, ranks: number) {
  const bytes = 4 * parameters;
  const network = (1000 * bytes * ((ranks - 1) / ranks)) / NETWORK;
  return {
    compute: (step * (batch / 4) * flopsPerToken) / MEASURED.flopsPerToken,
    read: (1000 * bytes) / PCIE,
    gather: network,
    sum: (1000 * bytes) / SUM,
    share: network,
    write: (1000 * bytes) / PCIE,
  };
}

/** Of the time of a step, the share that one process would take for as many batches as a rank has. */
function efficiency(model: Model, step: number, batch: number, accumulation: number, ranks: number) {
  const { compute, read, gather, sum, share, write } = costs(model, step, batch, ranks);
  const useful = accumulation * compute;
  // A device reads back between two passes, on its one queue.
  const copies = accumulation * read + write;
  const plain = copies + accumulation * (gather + sum) + share;
  // Of rounds before the last, behind the next batch; of the last one, behind its backward pass, but for its last segments.
  const earlier = (accumulation - 1) * Math.max(0, gather + sum - compute);
  const hidden = copies + earlier + exposed(model, gather + sum + share, compute);
  const percent = (over: number): string => `${Math.round((100 * useful) / (useful + over))} %`;
  return { plain: percent(plain), hidden: percent(hidden) };
}

const ms = (value: number): string => Math.round(value).toString();

for (const [name, shape] of Object.entries(MODELS)) {
  const model = modelOf(shape);
  const { read, gather, sum, share, write } = costs(model, STEPS.f32, 1, 8);
  console.log(
    `${name}: ${model.parameters} parameters, ${model.tail} of them in the last segments; 8 ranks, ms: read ${ms(read)}, gather ${ms(gather)}, sum ${ms(sum)}, share ${ms(share)}, write ${ms(write)}`,
  );
}
console.log(
  "| | records a batch | batches a rank | a batch | 8 ranks, nothing hidden | 8 ranks, hidden | 64 ranks, nothing hidden | 64 ranks, hidden |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
for (const [name, shape] of Object.entries(MODELS)) {
  const model = modelOf(shape);
  for (const [precision, step] of Object.entries(STEPS))
    for (const [batch, accumulation] of [
      [4, 1],
      [4, 4],
      [4, 16],
      [8, 4],
      [16, 1],
      [16, 4],
      [32, 1],
    ] as const) {
      const [few, many] = [8, 64].map((ranks) => efficiency(model, step, batch, accumulation, ranks));
      const { compute } = costs(model, step, batch, 8);
      console.log(
        `| ${name}, ${precision} | ${batch} | ${accumulation} | ${ms(compute)} ms | ${few!.plain} | ${few!.hidden} | ${many!.plain} | ${many!.hidden} |`,
      );
    }
}
