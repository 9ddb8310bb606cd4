import { readFileSync } from "node:fs";
import { createDecoder } from "../src/generate/decoder.ts";
import { layoutParameters } from "../src/model/parameters.ts";
import { openModel } from "../src/node/models.ts";
import { openTestGpu } from "../test/support/gpu.ts";
import { createGpuRuntime } from "../src/runtime/gpu.ts";

const [where, file, lengthText = "200", rowsText = "16", from = "0.95"] = process.argv.slice(2);
const model = await openModel(where!, { notice: () => {} });
const { config } = model;
const tokenizer = model.tokenizer!;
const layout = layoutParameters(config);
const runtime = createGpuRuntime(await openTestGpu("system"));
await model.load(runtime, layout);
const text = readFileSync(file!, "utf8");
const ids = tokenizer.encode(text.slice(Math.floor(text.length * Number(from))));
const [L, B] = [Number(lengthText), Number(rowsText)];
const texts = Array.from({ length: B }, (_, b) => Array.from(ids.slice(b * L, (b + 1) * L)));
const V = config.vocabSize;
const logp = (row: Float32Array) => { let m = -Infinity; for (const x of row) m = Math.max(m, x); let s = 0; for (const x of row) s += Math.exp(x - m); const z = m + Math.log(s); return Float64Array.from(row, (x) => x - z); };
const all: Record<string, Float64Array[]> = {};
const nll: Record<string, number> = {};
for (const cache of ["f32", "f16", "i8"] as const) {
  const decoder = createDecoder(runtime, config, layout);
  const session = await decoder.logits(texts.map((t) => ({ prompt: t.slice(0, 1), least: 0, most: L })), { cache });
  let logits = session.first as Float32Array;
  let [sum, n] = [0, 0];
  const kept: Float64Array[] = [];
  for (let at = 1; at < L; at++) {
    texts.forEach((t, b) => { const p = logp(logits.slice(b * V, (b + 1) * V) as Float32Array); kept.push(p); sum -= p[t[at]!]!; n++; });
    logits = (await session.next(Uint32Array.from(texts, (t) => t[at]!), new Uint32Array(B).fill(at))) as Float32Array;
  }
  nll[cache] = sum / n; all[cache] = kept;
  decoder.dispose();
}
for (const c of ["f16", "i8"]) {
  let [kl, same, worst] = [0, 0, 0];
  all.f32!.forEach((p, i) => { const q = all[c]![i]!; let k = 0; p.forEach((x, j) => { k += Math.exp(x) * (x - q[j]!); }); kl += k; worst = Math.max(worst, k); const am = (a: Float64Array) => a.indexOf(Math.max(...a)); if (am(p) === am(q)) same++; });
  console.log(c, "nll f32", nll.f32!.toFixed(6), c, nll[c]!.toFixed(6), "diff", (nll[c]! - nll.f32!).toExponential(2), "mean KL", (kl / all.f32!.length).toExponential(2), "worst", worst.toExponential(2), "same top", same, "of", all.f32!.length);
}
process.exit(0);
