import { userError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { parseConfig } from "../io/huggingface.ts";
import { parseSafetensors, type Safetensors } from "../io/safetensors.ts";
import { toFloat32, toInt32 } from "../io/tensor-data.ts";
import { IGNORED_LABEL } from "../kernels/cross-entropy.ts";
import { type Batch, makeBatch } from "../train/batch.ts";
import type { Fixture } from "./fixture.ts";

/** What fixtures of this kind were trained with: see the directory's own description. */
const OPTIMISER = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, maxGradNorm: 1 };

interface TensorFile {
  readonly where: string;
  readonly bytes: Uint8Array;
  readonly parsed: Safetensors;
}

/**
 * Reads a parity directory: config.json and model.safetensors as Hugging Face has them; inputs.safetensors with tokens,
 * attention_mask and labels, i32 [step, batch, T]; expected.safetensors with logits, loss, `grad.<name>`, step_loss,
 * step_grad_norm, step_lr and `final.<name>`.
 */
export function readFixture(name: string, files: ReadonlyMap<string, Uint8Array>): Fixture {
  const read = (file: string): Uint8Array =>
    files.get(file) ??
    userError(
      `${name}: there is no ${file}; a fixture has config.json and model.safetensors, as a run's model, and ` +
        "inputs.safetensors and expected.safetensors, which say what PyTorch makes of it",
    );
  const open = (file: string): TensorFile => {
    const bytes = read(file);
    return { where: `${name}/${file}`, bytes, parsed: parseSafetensors(bytes, `${name}/${file}`) };
  };
  const config = parseConfig(new TextDecoder().decode(read("config.json")), `${name}/config.json`);
  const [model, inputs, expected] = [
    open("model.safetensors"),
    open("inputs.safetensors"),
    open("expected.safetensors"),
  ];
  return {
    name,
    config,
    parameters: floatsWithPrefix(model, ""),
    batches: readBatches(inputs, config.vocabSize),
    optimiser: OPTIMISER,
    learningRates: [...floats(expected, "step_lr")],
    expected: {
      logits: floats(expected, "logits"),
      loss: floats(expected, "loss")[0]!,
      gradients: floatsWithPrefix(expected, "grad."),
      stepLosses: [...floats(expected, "step_loss")],
      stepNorms: [...floats(expected, "step_grad_norm")],
      final: floatsWithPrefix(expected, "final."),
    },
  };
}

function tensorOf({ where, parsed }: TensorFile, name: string) {
  return parsed.tensors.get(name) ?? userError(`${where}: there is no tensor ${name}`);
}

function floats(file: TensorFile, name: string): Float32Array {
  return toFloat32(file.bytes, tensorOf(file, name), `${file.where}: ${name}`);
}

function floatsWithPrefix(file: TensorFile, prefix: string): Map<string, Float32Array> {
  const names = [...file.parsed.tensors.keys()].filter((name) => name.startsWith(prefix));
  return new Map(names.map((name) => [name.slice(prefix.length), floats(file, name)]));
}

function readBatches(file: TensorFile, vocabulary: number): Batch[] {
  const shape = tensorOf(file, "tokens").shape;
  const [steps = 0, batch = 0, context = 0] = shape;
  const read = (name: string): Int32Array => {
    const tensor = tensorOf(file, name);
    if (sizeOf(tensor.shape) !== steps * batch * context) userError(`${file.where}: ${name} is not shaped like tokens`);
    return toInt32(file.bytes, tensor, `${file.where}: ${name}`);
  };
  const [tokens, mask, labels] = [read("tokens"), read("attention_mask"), read("labels")];
  return Array.from({ length: steps }, (_, step) => {
    const from = step * batch * context;
    const part = (data: Int32Array): Int32Array => data.subarray(from, from + batch * context);
    const [ids, kept, given] = [part(tokens), part(mask), part(labels)];
    // Hugging Face's labels stand where their token stands; ours stand where the model predicts it, one place earlier.
    const shifted = given.map((_, i) => (i % context === context - 1 ? IGNORED_LABEL : given[i + 1]!));
    const lengths = new Uint32Array(batch).map((_, row) =>
      kept.subarray(row * context, (row + 1) * context).reduce((sum, bit) => sum + bit, 0),
    );
    return makeBatch({ batch, context }, Uint32Array.from(ids), Int32Array.from(shifted), lengths, vocabulary);
  });
}
