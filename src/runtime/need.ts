import type { Tape } from "../autograd/tape.ts";
import { isFloat, type Precision, WORD_BYTES } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import type { TensorType } from "../kernels/op.ts";

/** What tapes take of a runtime's memory, known before anything is allocated. */
export interface MemoryNeed {
  /** Of states, each counted once however many tapes share it. */
  readonly stateBytes: number;
  /** Of activations, gradients in flight, scratch, inputs, constants and read-back rings. */
  readonly transientBytes: number;
  /** Of both. */
  readonly bytes: number;
}

/** A plan that is only counted. */
export interface ForecastPlan {
  /** Of its dispatches. */
  readonly uniformBytes: number;
  /** Frees what it owns; states stay. */
  dispose(): void;
}

export interface ForecastOptions {
  /** Runs whose results are still to be read, at most; 1 where absent. */
  readonly runsInFlight?: number;
  /** The same program for a longer batch: its uniforms, which are the work to find out, are taken for this one's. */
  readonly like?: ForecastPlan;
}

/** Plays what a runtime will be asked for and counts: the most of it is what a run needs. Device-free. */
export interface Forecast {
  /** As `Runtime.compile`; plans are held from here on, until they are disposed of. */
  compile(tape: Tape, options?: ForecastOptions): ForecastPlan;
  /** Memory that is taken for a moment, besides what is held now. */
  briefly(bytes: number): void;
  /** The most that was held at one time. */
  readonly peak: MemoryNeed;
}

/** Of the CPU reference, where every value of a tape has memory of its own. */
export function createCpuForecast(precision: Precision): Forecast {
  const counter = createCounter();
  const bytesOf = ({ dtype, shape }: TensorType): number =>
    sizeOf(shape) * (isFloat(dtype) && precision === "float64" ? 2 : 1) * WORD_BYTES;
  return {
    compile(tape) {
      let own = 0;
      for (const value of tape.values) {
        if (tape.storage(value).root !== value) continue;
        const origin = tape.origin(value);
        if (origin.kind === "state") counter.hold(origin.name, bytesOf(value));
        else own += bytesOf(value);
      }
      return counter.plan(own, 0, () => {});
    },
    briefly: counter.briefly,
    get peak() {
      return counter.peak;
    },
  };
}

/** What plans of `tapes` take, all held at once and compiled in this order. */
export function predictMemory(forecast: Forecast, tapes: Iterable<Tape>, runsInFlight = 1): MemoryNeed {
  for (const tape of tapes) forecast.compile(tape, { runsInFlight });
  return forecast.peak;
}

/** Bytes held, and the most of them. */
export function createCounter() {
  const states = new Map<string, number>();
  let [stateBytes, transientBytes] = [0, 0];
  let peak: MemoryNeed = { stateBytes, transientBytes, bytes: 0 };
  const briefly = (more: number): void => {
    const bytes = stateBytes + transientBytes + more;
    if (bytes > peak.bytes) peak = { stateBytes, transientBytes: transientBytes + more, bytes };
  };
  return {
    hold(state: string, bytes: number): void {
      stateBytes += bytes - (states.get(state) ?? 0);
      states.set(state, bytes);
    },
    take(bytes: number): void {
      transientBytes += bytes;
    },
    /** A plan that has taken all that it shares, and takes `own` bytes more. */
    plan(own: number, uniformBytes: number, release: () => void): ForecastPlan {
      let held = true;
      transientBytes += own;
      briefly(0);
      return {
        uniformBytes,
        dispose() {
          if (held) transientBytes -= own;
          held = false;
          release();
        },
      };
    },
    briefly,
    get peak() {
      return peak;
    },
  };
}
