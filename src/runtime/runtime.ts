import type { Tape } from "../autograd/tape.ts";
import type { NumericArray } from "../core/dtype.ts";
import type { FusedOps } from "../kernels/fused.ts";
import type { TensorType } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import type { Forecast, MemoryNeed } from "./need.ts";

/** Contents of a tape's inputs or outputs by name, flat and row-major. */
export type Tensors = Readonly<Record<string, NumericArray>>;

/** What a compiled tape takes, known before its first run. */
export interface ProgramStats {
  /** Bytes of all states, whoever else shares them. */
  readonly stateBytes: number;
  /** Bytes of activations, gradients in flight, scratch, inputs and read-back rings of this program. */
  readonly transientBytes: number;
  readonly dispatches: number;
  readonly pipelines: number;
}

/** How long one dispatch took on the device. */
export interface DispatchTime {
  /** Its place among the nodes of the tape. */
  readonly node: number;
  readonly op: string;
  readonly entry: string;
  readonly microseconds: number;
}

/** A tape made ready to run as often as one likes. */
export interface Program {
  readonly stats: ProgramStats;
  /**
   * Runs the tape once on `inputs` (one for each of its inputs) and gives its outputs.
   * On a GPU the work is queued before this returns; the promise settles when the outputs have been read back,
   * so a caller that awaits it some runs later never makes the GPU wait. `reached` hears, before this returns, of each of the tape's
   * fences: what is read of states then is as it is there, and a GPU gives it while it works on.
   */
  run(inputs: Tensors, reached?: (fence: number) => void): Promise<Tensors>;
  /** Runs the tape once, timing each dispatch by itself. Only where the device has timestamps. */
  profile?(inputs: Tensors): Promise<DispatchTime[]>;
  /** Frees what the program owns; states stay. */
  dispose(): void;
}

/** Frees programs, those that are still being compiled as well; what could not be compiled has nothing to free. */
export async function disposeAll(programs: Iterable<Promise<Program>>): Promise<void> {
  const disposed = Array.from(programs, (program) => program.then((made) => made.dispose()).catch(() => {}));
  await Promise.all(disposed);
}

/** Something that runs tapes: the CPU reference or a GPU. States are shared by name between its programs. */
export interface Runtime {
  /** For people: "CPU float64", or the adapter's driver. */
  readonly name: string;
  /** What model code may plan its tape against. */
  readonly traits: Traits;
  /** What model code may use in place of ops one by one, where that is faster here; not on CPUs. */
  readonly fused?: FusedOps | undefined;
  compile(tape: Tape): Promise<Program>;
  /**
   * What the programs of `tapes` will take, all held at once, each with up to `runsInFlight` (1) runs to be read.
   * Nothing is allocated for it.
   */
  predict(tapes: Iterable<Tape>, runsInFlight?: number): MemoryNeed;
  /** Counts what this runtime would hold if it were asked for what the forecast is asked for, from nothing on. */
  forecast(): Forecast;
  /**
   * Makes a state of zeros where there is none of this name, as compiling a tape that has it does. Where the device has no
   * memory for it, the next call that is awaited says so.
   */
  declareState(name: string, type: TensorType): void;
  /** Sets a state, or the part of it that starts at `offset` elements. The state must exist: declared, or some tape's. */
  writeState(name: string, data: ArrayLike<number>, offset?: number): void;
  /** Whether anything was ever written to a state: one that only tapes have is zeros until they run. */
  isWritten(name: string): boolean;
  /** Frees a state, if there is one of this name; programs that have it must have been disposed of. */
  dropState(name: string): void;
  /** Sets all of a state to zero. */
  clearState(name: string): void;
  /**
   * Reads a state, or `length` elements of it from `offset` on; into `into`, where the elements go on being read to the same place: then
   * no memory is made anew for it.
   */
  readState(name: string, offset?: number, length?: number, into?: Float32Array): Promise<NumericArray>;
  /** Frees everything, at any time and as often as one likes; what is still awaited rejects with `ClosedError`. */
  close(): void;
}
