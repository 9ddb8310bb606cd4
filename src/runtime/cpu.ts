import type { Node, Tape } from "../autograd/tape.ts";
import { updatedInput } from "../autograd/tape.ts";
import { allocate, type NumericArray, type Precision, roundStored } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { createTurns } from "../core/turns.ts";
import type { CpuTensor, Value } from "../kernels/op.ts";
import type { Traits } from "../kernels/traits.ts";
import { DEFAULT_TRAITS } from "../kernels/traits.ts";
import { checkInputs } from "./inputs.ts";
import { createCpuForecast, predictMemory } from "./need.ts";
import { createQueue, type Queue } from "./queue.ts";
import type { Program, Runtime } from "./runtime.ts";
import { createStates } from "./states.ts";

/** No binding or buffer limits: model code need not cut anything for the reference. Its memory is the machine's. */
const CPU_TRAITS: Traits = {
  ...DEFAULT_TRAITS,
  maxBindingBytes: 2 ** 40,
  maxBufferBytes: 2 ** 40,
  software: true,
  f16: true,
};

export interface CpuRuntimeOptions {
  readonly precision?: Precision;
  readonly traits?: Traits;
  /** Runs, between two ops, and reads reject with its reason once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The reference: interprets a tape op by op with each op's own `cpu` loop, in float32 or in float64. As on a device, runs and
 * what is done to states happen in the order of the calls; between ops the event loop gets its turn.
 */
export function createCpuRuntime(options: CpuRuntimeOptions = {}): Runtime {
  const precision = options.precision ?? "float32";
  const states = createStates((type) => allocate(type.dtype, sizeOf(type.shape), precision));
  const queue = createQueue(createTurns(), options.signal);
  return {
    name: `CPU ${precision}`,
    traits: options.traits ?? CPU_TRAITS,
    async compile(tape) {
      queue.requireOpen();
      return interpret(tape, precision, states, queue);
    },
    forecast: () => createCpuForecast(precision),
    predict: (tapes) => predictMemory(createCpuForecast(precision), tapes),
    declareState(name, type) {
      queue.requireOpen();
      states.ensure(name, type);
    },
    writeState(name, data, offset = 0) {
      queue.requireOpen();
      const state = states.get(name, offset, data.length);
      const set = (values: ArrayLike<number>): void => {
        state.set(values, offset);
        roundStored(states.dtypeOf(name), state.subarray(offset, offset + data.length));
      };
      if (queue.idle()) set(data);
      else {
        const copy = Float64Array.from(data);
        queue.soon(() => set(copy));
      }
      states.wrote(name);
    },
    isWritten: states.isWritten,
    dropState: states.drop,
    clearState(name) {
      queue.requireOpen();
      const state = states.get(name);
      queue.soon(() => void state.fill(0));
    },
    async readState(name, offset = 0, length, into) {
      queue.requireOpen();
      options.signal?.throwIfAborted();
      const state = states.get(name, offset, length ?? 0);
      return queue.add(async () => {
        const end = length === undefined ? undefined : offset + length;
        if (!into) return state.slice(offset, end);
        into.set(state.subarray(offset, end));
        return into as NumericArray;
      });
    },
    close() {
      queue.close(() => {});
      states.forgetAll();
    },
  };
}

type StatesOf = ReturnType<typeof createStates<NumericArray>>;

function interpret(tape: Tape, precision: Precision, states: StatesOf, queue: Queue): Program {
  const roots = new Map<Value, NumericArray>();
  let transientBytes = 0;
  for (const value of tape.values) {
    if (tape.storage(value).root !== value) continue;
    const origin = tape.origin(value);
    if (origin.kind === "state") {
      roots.set(value, states.ensure(origin.name, value));
      continue;
    }
    const data = allocate(value.dtype, sizeOf(value.shape), precision);
    if (origin.kind === "constant") data.set(origin.data);
    transientBytes += data.byteLength;
    roots.set(value, data);
  }

  function tensorOf(value: Value): CpuTensor {
    const { root, offset } = tape.storage(value);
    const data = roots.get(root)?.subarray(offset, offset + sizeOf(value.shape));
    if (!data) throw new Error("cpu: a value has no storage");
    return { dtype: value.dtype, shape: value.shape, data };
  }

  function execute(node: Node): void {
    const outputs = mapValues(node.outputs, tensorOf);
    for (const name of node.op.outputs) if (!updatedInput(node, name)) outputs[name]?.data.fill(0);
    node.op.cpu(mapValues(node.inputs, tensorOf), outputs, node.attrs);
    for (const { dtype, data } of Object.values(outputs)) roundStored(dtype, data);
  }

  return {
    stats: { stateBytes: states.bytes(), transientBytes, dispatches: 0, pipelines: 0 },
    async run(inputs, reached) {
      queue.requireOpen();
      const given = checkInputs(tape, inputs);
      // The caller may use its arrays again as soon as this returns.
      const kept = queue.idle() ? given : given.map(([value, data]) => [value, data.slice()] as const);
      const done = queue.add(async (turn) => {
        for (const [value, data] of kept) {
          const input = tensorOf(value).data;
          input.set(data);
          roundStored(value.dtype, input);
        }
        for (const node of tape.nodes) {
          const due = turn();
          if (due) await due;
          execute(node);
        }
        const results: Record<string, NumericArray> = {};
        for (const [name, value] of tape.outputs) results[name] = tensorOf(value).data.slice();
        return results;
      });
      // What is read from here on comes after the run: there is nobody who would read beside it.
      tape.fences.forEach((_, fence) => {
        reached?.(fence);
      });
      return done;
    },
    dispose() {
      queue.soon(() => roots.clear());
    },
  };
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(value)]));
}
