import type { FileSource } from "../../src/io/checkpoint.ts";
import { writeModelDirectory } from "../../src/io/huggingface.ts";
import { parseSafetensors, type SafetensorsDtype } from "../../src/io/safetensors.ts";
import { type TensorData, writeSafetensors } from "../../src/io/safetensors-write.ts";
import { type Gpt2Config, gpt2Config, parameterShapes } from "../../src/model/config.ts";
import { charTokenizer } from "../../src/text/char.ts";

export const smallConfig = gpt2Config({ vocabSize: 10, contextLength: 4, width: 64, layers: 2, heads: 1 });

type Files = Map<string, Uint8Array>;

/** Parameters that all differ, with a NaN that carries bits, an infinity and a negative zero among them. */
export function parametersOf(config: Gpt2Config): Map<string, Float32Array> {
  let next = 1;
  const values = (shape: readonly number[]) =>
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.sin(next++));
  const parameters = new Map([...parameterShapes(config)].map(([name, shape]) => [name, values(shape)]));
  const first = parameters.get("wte.weight")!;
  new Uint32Array(first.buffer).set([0x7fc12000, 0xff800000, 0x80000000]);
  return parameters;
}

export function modelFiles(config = smallConfig): Files {
  const tokenizer = charTokenizer("abcdefghi");
  return writeModelDirectory({ config, parameters: parametersOf(config), tokenizer });
}

/** The same model with its weights stored in 16 bits, those that remain. */
export function withHalves(files: Files, dtype: "F16" | "BF16"): Files {
  return withTensors(files, (tensor) => {
    const bits = new Uint32Array(tensor.data.buffer.slice(0));
    const halves = Uint16Array.from(bits, (word) => (dtype === "BF16" ? word >>> 16 : toHalf(word)));
    return { ...tensor, dtype, data: halves };
  });
}

/** Cut off, not rounded: a test needs some f16, not the nearest. Values here are small and normal, or special. */
function toHalf(word: number): number {
  const exponent = (word >>> 23) & 0xff;
  const top = (word >>> 16) & 0x8000;
  const fraction = (word >>> 13) & 0x3ff;
  if (exponent === 255) return top | 0x7c00 | fraction;
  return exponent < 113 ? top : top | ((exponent - 112) << 10) | fraction;
}

/** The same model in two files with an index. */
export function sharded(files: Files): Files {
  const weightMap: Record<string, string> = {};
  const parts = new Map([1, 2].map((n) => [`model-0000${n}-of-00002.safetensors`, new Map<string, TensorData>()]));
  const names = [...parts.keys()];
  for (const [name, tensor] of tensorsOf(files)) {
    weightMap[name] = names[name.includes(".h.1.") ? 1 : 0]!;
    parts.get(weightMap[name])!.set(name, tensor);
  }
  const changed = new Map(files);
  changed.delete("model.safetensors");
  changed.set("model.safetensors.index.json", new TextEncoder().encode(JSON.stringify({ weight_map: weightMap })));
  for (const [name, tensors] of parts) changed.set(name, writeSafetensors(tensors));
  return changed;
}

export function withTensors(files: Files, change: (tensor: TensorData, name: string) => TensorData): Files {
  const tensors = [...tensorsOf(files)].map(([name, tensor]) => [name, change(tensor, name)] as const);
  return new Map(files).set("model.safetensors", writeSafetensors(new Map(tensors)));
}

function tensorsOf(files: Files): Map<string, TensorData> {
  const file = files.get("model.safetensors")!;
  const entries = [...parseSafetensors(file).tensors].map(([name, { dtype, shape, begin, end }]) => {
    return [name, { dtype: dtype as SafetensorsDtype, shape, data: file.slice(begin, end) }] as const;
  });
  return new Map(entries);
}

/** Files in memory, as something to read from piece by piece. */
export function sourcesOf(files: ReadonlyMap<string, Uint8Array>): Map<string, FileSource> {
  return new Map(
    [...files].map(([name, bytes]) => [
      name,
      { size: bytes.length, read: async (offset, into) => into.set(bytes.subarray(offset, offset + into.length)) },
    ]),
  );
}

/** The bits of every parameter, in hexadecimal, so that NaNs and zeros of either sign are told apart. */
export function bitsOf(parameters: ReadonlyMap<string, Float32Array>): Map<string, string> {
  return new Map(
    [...parameters].map(([name, { buffer, byteOffset, byteLength }]) => [
      name,
      Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString("hex"),
    ]),
  );
}
