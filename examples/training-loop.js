// A training loop of one's own, on what `finetune` is made of: node training-loop.js [steps]
import * as g from "webgpu-gpt2";

const steps = Number(process.argv[2] ?? 200);
const tokenizer = g.charTokenizer("0123456789+=");
const sums = Array.from({ length: 100 }, (_, i) => `${Math.floor(i / 10)}+${i % 10}=${Math.floor(i / 10) + (i % 10)}`);
const { sequences } = g.encodeRecords(sums, tokenizer, 16);
const config = g.gpt2Config({ vocabSize: tokenizer.vocabSize, contextLength: 16, width: 64, layers: 2, heads: 4 });
const layout = g.layoutParameters(config);

const device = await g.openDevice(); // a GPU, else WebAssembly
const runtime = await device.createRuntime();
g.writeArena(runtime, layout, g.ARENA.parameters, g.initialParameters(config, layout, 1));
const rows = g.recordRows(g.sequencesOf(sequences), { rowsPerStep: 20, seed: 1 });
const trainer = g.createTrainer(runtime, config, layout, rows, {
  ...{ learningRate: 3e-3, warmupSteps: 10, maxSteps: steps, batchSize: 20, seed: 1 },
  ...{ beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 },
});
const generator = g.createGenerator(runtime, config, layout);
for await (const { step, loss, gradNorm } of trainer.run())
  if (step === 1 || step % 20 === 0) console.log(`step ${step}: loss ${loss.toFixed(3)}, norm ${gradNorm.toFixed(2)}`);

const prompts = ["2+3=", "7+8="].map((text) => [...tokenizer.startIds, ...tokenizer.encode(text)]);
for (const { text } of await generator.generate(prompts, { maxNewTokens: 3, eosTokenId: tokenizer.endId, tokenizer }))
  console.log(text);
runtime.close();
device.close();
