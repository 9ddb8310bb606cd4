/** A training run's states as files, written and read some megabytes at a time, with every bit kept. */
import { type FloatDType, type NumericArray, WORD_BYTES } from "../core/dtype.ts";
import { NotFiniteError, userError } from "../core/errors.ts";
import { largest } from "../core/extremes.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import {
  ADAPTER_CONFIG,
  ADAPTER_WEIGHTS,
  type BaseModel,
  formatAdapterConfig,
  storedCorrection,
} from "../io/adapter-config.ts";
import type { FileSource } from "../io/checkpoint.ts";
import { type ModelDescription, planModelDirectory, streamWeights } from "../io/checkpoint-write.ts";
import { GENERATION_CONFIG } from "../io/generation-config.ts";
import { storedName } from "../io/parameter-names.ts";
import { headerBytesNeeded, parseHeader } from "../io/safetensors.ts";
import { planSafetensors, type TensorSpec } from "../io/safetensors-write.ts";
import { WEIGHTS } from "../io/weight-files.ts";
import { INITIAL_SCALER, SCALER } from "../kernels/loss-scaler.ts";
import { ARENA, type Arena, type ArenaState, declareStates, readArena, statesOf, writeStates } from "../model/arena.ts";
import { isCorrection } from "../model/lora.ts";
import { type ParameterLayout, trainedEntries } from "../model/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { LOSS_SCALER } from "./step.ts";

/** The file of both moments: tensors `m.<parameter>` and `v.<parameter>`, f32; and of the loss scale. */
export const OPTIMIZER = "optimizer.safetensors";
const SCALER_TENSOR = "loss_scaler";

/** A file whose bytes are told from first to last when they are asked for. */
export interface PlannedFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Rejects with `NotFiniteError` where a number of it is not finite. */
  write(write: (bytes: Uint8Array) => Promise<void>): Promise<void>;
}

/** Elements of a piece: 16 MiB written, 4 MiB read. */
const WRITE_PIECE = 2 ** 22;
const READ_PIECE = 2 ** 20;
/** Elements written between two waits: what a device has been sent and has not yet taken is memory, too. */
const WRITTEN_UNWAITED = 2 ** 24;

/**
 * The weights in a runtime's arena as a directory that Hugging Face loads; a model without biases gets zeros for them.
 * `anyNumber`: not finite ones as well.
 */
export function modelFiles(
  runtime: Pick<Runtime, "readState">,
  layout: ParameterLayout,
  model: ModelDescription,
  options: { readonly anyNumber?: boolean } = {},
): PlannedFile[] {
  const plan = planModelDirectory(model);
  const offsets = offsetsOf(layout);
  const read = async (parameter: string, at: number, length: number): Promise<Float32Array> => {
    const piece = await readPiece(runtime, layout, ARENA.parameters, offsets.get(parameter)! + at, length);
    return options.anyNumber ? piece : finite(piece, parameter);
  };
  return [
    ...[...plan.files].map(bytesFile),
    { name: plan.weights.name, size: plan.weights.fileSize, write: (write) => streamWeights(plan, read, write) },
  ];
}

/** Bytes of the piece that a file is written through, on the device. */
export function savingBytes({ entries }: ParameterLayout): number {
  return WORD_BYTES * Math.min(WRITE_PIECE, largest(entries.map(({ shape }) => sizeOf(shape))));
}

/** What a PEFT directory says besides its tensors. */
export interface AdapterDescription extends ModelDescription {
  readonly base?: BaseModel | undefined;
}

/** The corrections in a runtime's arena as a directory that PEFT opens, with the tokenizer of the model that they are of. */
export function adapterFiles(
  runtime: Pick<Runtime, "readState">,
  layout: ParameterLayout,
  model: AdapterDescription,
  options: { readonly anyNumber?: boolean } = {},
): PlannedFile[] {
  const { lora } = layout;
  if (!lora) throw new Error("adapterFiles: the layout has no corrections");
  const texts = [...planModelDirectory(model).files].filter(
    // PEFT's directories have neither.
    ([name]) => name !== "config.json" && name !== GENERATION_CONFIG,
  );
  const config = new TextEncoder().encode(formatAdapterConfig({ lora, base: model.base }));
  const entries = layout.entries.filter(({ name }) => isCorrection(name));
  const specs = new Map(entries.map((entry) => [storedCorrection(entry.name), { ...entry, dtype: "F32" as const }]));
  const plan = planSafetensors(specs, { format: "pt" });
  return [
    ...[...texts, [ADAPTER_CONFIG, config] as const].map(bytesFile),
    {
      name: ADAPTER_WEIGHTS,
      size: plan.fileSize,
      async write(write) {
        await write(plan.header);
        for (const [stored, { shape }] of plan.tensors) {
          const piece = await readPiece(runtime, layout, ARENA.parameters, specs.get(stored)!.offset, sizeOf(shape));
          if (!options.anyNumber) finite(piece, stored);
          await write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
        }
      },
    },
  ];
}

/** What training has changed: the corrections where the layout has some, else the model. */
export function resultFiles(...args: Parameters<typeof adapterFiles>): PlannedFile[] {
  return args[1].lora ? adapterFiles(...args) : modelFiles(...args);
}

/** AdamW's moments by parameter name and, of mixed precision, the loss scale; the step is in the file's metadata. */
export function optimizerFile(
  runtime: Pick<Runtime, "readState">,
  layout: ParameterLayout,
  step: number,
  precision: FloatDType = "f32",
): PlannedFile {
  const offsets = offsetsOf(layout);
  const moments = { m: ARENA.m, v: ARENA.v } as const;
  const specs = new Map<string, TensorSpec>();
  for (const moment of Object.keys(moments)) {
    for (const { name, shape } of trainedEntries(layout)) specs.set(`${moment}.${name}`, { dtype: "F32", shape });
  }
  if (precision === "f16") specs.set(SCALER_TENSOR, { dtype: "F32", shape: SCALER.shape });
  const plan = planSafetensors(specs, { format: "pt", step: String(step) });
  return {
    name: OPTIMIZER,
    size: plan.fileSize,
    async write(write) {
      await write(plan.header);
      for (const [stored, { shape }] of plan.tensors) {
        const scaler = stored === SCALER_TENSOR;
        const start = scaler ? 0 : offsets.get(stored.slice(2))!;
        const total = sizeOf(shape);
        for (let at = 0; at < total; at += WRITE_PIECE) {
          const length = Math.min(WRITE_PIECE, total - at);
          const values = scaler
            ? float32(await runtime.readState(LOSS_SCALER))
            : await readPiece(runtime, layout, moments[stored[0] as "m" | "v"], start + at, length);
          const piece = finite(values, stored);
          await write(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
        }
      }
    },
  };
}

/** A value as indented JSON. */
export function jsonFile(name: string, value: unknown): PlannedFile {
  return bytesFile([name, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)]);
}

function bytesFile([name, bytes]: readonly [string, Uint8Array]): PlannedFile {
  return { name, size: bytes.length, write: (write) => write(bytes) };
}

/**
 * Brings weights (of corrections, where the layout has some), moments and the loss scale back, to the last bit. `files`: of a
 * checkpoint, open. Throws `UserError` on any that do not fit. What was trained in f32 goes on in f16 with a fresh scale.
 */
export async function restoreStates(
  runtime: Runtime,
  layout: ParameterLayout,
  files: ReadonlyMap<string, FileSource>,
  precision: FloatDType = "f32",
): Promise<void> {
  const states = statesOf(layout, ARENA.parameters);
  if (layout.lora) {
    const entries = layout.entries.filter(({ name }) => isCorrection(name));
    const place = { file: ADAPTER_WEIGHTS, storedName: storedCorrection };
    await restoreTensors(runtime, { entries, states }, files, place);
  } else {
    await restoreTensors(runtime, { entries: layout.entries, states }, files, { file: WEIGHTS, storedName });
  }
  for (const [prefix, arena] of [["m", ARENA.m] as const, ["v", ARENA.v] as const]) {
    const moments = { entries: trainedEntries(layout), states: statesOf(layout, arena) };
    await restoreTensors(runtime, moments, files, { file: OPTIMIZER, storedName: (name) => `${prefix}.${name}` });
  }
  if (precision === "f16") await restoreScaler(runtime, files);
}

async function restoreScaler(runtime: Runtime, files: ReadonlyMap<string, FileSource>): Promise<void> {
  const entries = [{ name: SCALER_TENSOR, shape: SCALER.shape, offset: 0 }];
  const { tensors } = await headerOf(files, OPTIMIZER);
  if (tensors.has(SCALER_TENSOR)) {
    const states = [{ name: LOSS_SCALER, offset: 0, size: sizeOf(SCALER.shape) }];
    await restoreTensors(runtime, { entries, states }, files, { file: OPTIMIZER, storedName: (name) => name });
    return;
  }
  runtime.declareState(LOSS_SCALER, SCALER);
  runtime.writeState(LOSS_SCALER, INITIAL_SCALER);
}

export interface TensorPlace {
  /** The file's name. */
  readonly file: string;
  /** What the file calls a parameter of the layout. Whatever else it holds is passed over. */
  storedName(parameter: string): string;
}

/** Where things lie, and in which states. */
interface StateLayout extends Pick<ParameterLayout, "entries"> {
  readonly states: readonly ArenaState[];
}

/** Brings the f32 tensors of one file into states, as they are. */
export async function restoreTensors(
  runtime: Runtime,
  layout: StateLayout,
  files: ReadonlyMap<string, FileSource>,
  place: TensorPlace,
): Promise<void> {
  const { file, tensors } = await headerOf(files, place.file);
  declareStates(runtime, layout.states);
  let unwaited = 0;
  for (const { name, shape, offset } of layout.entries) {
    const stored = place.storedName(name);
    const tensor = tensors.get(stored) ?? userError(`${place.file}: ${stored} is missing; is this another model's?`);
    if (tensor.dtype !== "F32" || !sameShape(tensor.shape, shape)) {
      const got = `${tensor.dtype} ${formatShape(tensor.shape)}`;
      userError(`${place.file}: ${stored} is ${got}; wanted F32 ${formatShape(shape)}, as the run's settings say`);
    }
    const total = sizeOf(shape);
    for (let at = 0; at < total; at += READ_PIECE) {
      const piece = new Float32Array(Math.min(READ_PIECE, total - at));
      await file.read(tensor.begin + 4 * at, new Uint8Array(piece.buffer));
      writeStates(runtime, layout.states, piece, offset + at);
      unwaited += piece.length;
      if (unwaited < WRITTEN_UNWAITED) continue;
      unwaited = 0;
      await runtime.readState(layout.states[0]!.name, 0, 1);
    }
  }
}

async function headerOf(files: ReadonlyMap<string, FileSource>, name: string) {
  const file = files.get(name) ?? userError(`${name}: is not there`);
  const start = new Uint8Array(Math.min(8, file.size));
  await file.read(0, start);
  const header = new Uint8Array(headerBytesNeeded(start, file.size, name));
  await file.read(0, header);
  return { file, tensors: parseHeader(header, file.size, name).tensors };
}

function offsetsOf(layout: ParameterLayout): Map<string, number> {
  return new Map(layout.entries.map(({ name, offset }) => [name, offset]));
}

async function readPiece(
  runtime: Pick<Runtime, "readState">,
  layout: ParameterLayout,
  arena: Arena,
  offset: number,
  length: number,
): Promise<Float32Array> {
  return float32(await readArena(runtime, layout, arena, offset, length));
}

function float32(values: NumericArray): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

function finite(piece: Float32Array, what: string): Float32Array {
  for (let i = 0; i < piece.length; i++) {
    if (!Number.isFinite(piece[i])) throw new NotFiniteError(`${what} holds ${piece[i]}`);
  }
  return piece;
}
