// Corrects a saved model by LoRA, saves the corrections as PEFT has them, and then the whole: node lora.js [model] [steps]
import { finetune, loadModel } from "webgpu-gpt2";

const [source = "gpt2", steps = 100] = process.argv.slice(2);
const texts = ["Q: What is 2 + 2? A: 4", "Q: What is 3 + 4? A: 7", "Q: What is 5 + 3? A: 8", "Q: What is 1 + 8? A: 9"];

const model = await loadModel(source);
const before = await model.loss(texts);
const settings = { loraRank: 4, maxSteps: Number(steps), perDeviceTrainBatchSize: 4, learningRate: 2e-3 };
// Kept as `gpt2 train` keeps a run: called again after Ctrl-C, this program goes on where it was.
await finetune(model, texts, settings, { storage: "lora-run", onEvent: { noticed: (it) => console.log(it.message) } });
const after = await model.loss(texts);
console.log(`loss ${before.loss.toFixed(3)} -> ${after.loss.toFixed(3)}`);
console.log(await model.generate("Q: What is", { maxNewTokens: 10 }));
await model.save("merged"); // the corrections alone are in lora-run/model
await model.close();
