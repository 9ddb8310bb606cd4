// Fine-tunes GPT-2 on a list of texts and writes more of them: node fine-tune.js [model] [file of texts] [steps]
import { readFileSync } from "node:fs";
import { finetune, loadModel } from "webgpu-gpt2";

const beside = new URL("emails.txt", import.meta.url);
const [source = "gpt2", file = beside, steps = 200] = process.argv.slice(2);
const texts = readFileSync(file, "utf8").trimEnd().split(/\r?\n/);
const model = await loadModel(source);
const settings = { maxSteps: Number(steps), perDeviceTrainBatchSize: 8, learningRate: 1e-4 };
await finetune(model, texts, settings, { onEvent: { logged: ({ step, loss }) => console.log(step, loss) } });
console.log(await model.generate("", { doSample: true, numReturnSequences: 20, maxNewTokens: 24 }));
await model.save("fine-tuned"); // GPT2LMHeadModel.from_pretrained loads it, too
await model.close();
