import type { Node, Tape } from "../../autograd/tape.ts";
import { updatedInput } from "../../autograd/tape.ts";
import { allocate, type NumericArray } from "../../core/dtype.ts";
import { ClosedError } from "../../core/errors.ts";
import { sizeOf } from "../../core/shape.ts";
import type { CpuTensor, Value } from "../../kernels/op.ts";
import type { Traits } from "../../kernels/traits.ts";
import { checkInputs } from "../inputs.ts";
import type { Queue, Turn } from "../queue.ts";
import type { DispatchTime, Program, Tensors } from "../runtime.ts";
import { gpuArray } from "../typed.ts";
import type { PlacedCall, WasmDevice } from "./engine.ts";
import { layOutWasm } from "./layout.ts";
import { takeMemory, type WasmMemory } from "./memory.ts";

/** What a plan is compiled with. */
export interface WasmPlanContext {
  readonly device: WasmDevice;
  readonly traits: Traits;
  readonly memory: WasmMemory;
  stateBytes(): number;
  /** Gives `release` back as something that happens once, when it is called or when the runtime is closed. */
  hold(release: () => void): () => void;
  readonly queue: Queue;
  /** Throws once the runtime or its device was closed. */
  requireOpen(): void;
  /** When the event loop is due, of `performance.now`. */
  due(): number;
  /** Gives it its turn. */
  pause(): Promise<void>;
}

type Step =
  | { readonly node: Node; readonly call: PlacedCall }
  | {
      readonly node: Node;
      readonly call: undefined;
      readonly inputs: Tensor[];
      readonly outputs: (Tensor & { fresh: boolean })[];
    };

interface Tensor {
  readonly name: string;
  readonly value: Value;
  readonly address: number;
}

/** Compiles a tape once: memory from lifetimes, arguments of all calls written. A run is the calls, one after another. */
export function compileWasm(tape: Tape, context: WasmPlanContext): Program {
  const { device, queue } = context;
  const layout = layOutWasm(tape, context.traits, device.host.threads);
  const taken = takeMemory(layout, context.memory);
  const { addressOf } = taken;
  const release = context.hold(taken.release);
  const addressOfValue = (value: Value): number => {
    const { place, offset } = layout.regionOf(value);
    return addressOf(place) + offset;
  };
  const tensor = (name: string, value: Value): Tensor => ({ name, value, address: addressOfValue(value) });

  for (const place of layout.places) {
    if (place.kind === "constant")
      viewOf(device, place.type, addressOf(place)).set(gpuArray(place.type, place.data) as NumericArray);
  }
  const firstWord = addressOf(layout.words) / 4;
  const steps = layout.steps.map((step): Step => {
    const { node } = step;
    if (step.kind === "loop") {
      const outputs = Object.entries(node.outputs);
      return {
        node,
        call: undefined,
        inputs: Object.entries(node.inputs).map(([name, value]) => tensor(name, value)),
        outputs: outputs.map(([name, value]) => ({ ...tensor(name, value), fresh: !updatedInput(node, name) })),
      };
    }
    const { kernel, pieces } = step.call;
    const [words, floats] = [device.words(), device.floats()];
    step.args.forEach((arg, i) => {
      const at = firstWord + step.at + i;
      if (typeof arg === "number") words[at] = arg;
      else if ("f32" in arg) floats[at] = arg.f32;
      else words[at] = addressOf(arg.place) + arg.offset;
    });
    const args = (firstWord + step.at) * 4;
    const scratch = addressOf(layout.scratch);
    return { node, call: { kernel, args, pieces, scratch, scratchBytes: layout.scratchBytes } };
  });
  const results = [...tape.outputs].map(([name, value]) => tensor(name, value));

  function cpuTensor({ value, address }: Tensor): CpuTensor {
    return { dtype: value.dtype, shape: value.shape, data: viewOf(device, value, address) };
  }

  function loop(node: Node, inputs: readonly Tensor[], outputs: readonly (Tensor & { fresh: boolean })[]): void {
    const made = Object.fromEntries(outputs.map((output) => [output.name, cpuTensor(output)]));
    for (const { name, fresh } of outputs) if (fresh) made[name]!.data.fill(0);
    node.op.cpu(Object.fromEntries(inputs.map((input) => [input.name, cpuTensor(input)])), made, node.attrs);
  }

  async function execute(turn: Turn, done: (step: Step) => void = () => {}): Promise<void> {
    for (const step of steps) {
      const due = turn();
      if (due) await due;
      if (step.call) {
        // A call that was begun is ended whatever happens: threads write where it says.
        while (!device.begin(step.call)) await context.pause();
        while (!device.advance(context.due())) await context.pause();
      } else loop(step.node, step.inputs, step.outputs);
      done(step);
    }
  }

  let disposed = false;
  function requireHeld(): void {
    context.requireOpen();
    if (disposed) throw new ClosedError("run: the program was disposed of; compile its tape again");
  }

  /** The inputs as they are now; the caller may change them as soon as it is told that they are queued. */
  function takeInputs(inputs: Tensors): [Value, NumericArray][] {
    return checkInputs(tape, inputs).map(([value, data]) => {
      const copy = allocate(value.dtype, data.length);
      copy.set(data);
      return [value, copy];
    });
  }

  function writeInputs(given: readonly [Value, NumericArray][]): void {
    for (const [value, data] of given) viewOf(device, value, addressOfValue(value)).set(data);
  }

  return {
    stats: {
      stateBytes: context.stateBytes(),
      transientBytes: taken.bytes,
      dispatches: steps.length,
      pipelines: 0,
    },
    async run(inputs, reached) {
      requireHeld();
      const given = takeInputs(inputs);
      const done = queue.add(async (turn) => {
        writeInputs(given);
        await execute(turn);
        const tensors: Record<string, NumericArray> = {};
        for (const result of results) {
          const { data } = cpuTensor(result);
          const copy = allocate(result.value.dtype, data.length);
          copy.set(data);
          tensors[result.name] = copy;
        }
        return tensors;
      });
      // What is read from here on comes after the run: there is nobody who would read beside it.
      tape.fences.forEach((_, fence) => {
        reached?.(fence);
      });
      return done;
    },
    async profile(inputs) {
      requireHeld();
      const given = takeInputs(inputs);
      return queue.add(async (turn) => {
        const times: DispatchTime[] = [];
        const placeOf = new Map(tape.nodes.map((node, place) => [node, place]));
        writeInputs(given);
        let last = performance.now();
        await execute(turn, ({ node, call }) => {
          const now = performance.now();
          times.push({
            node: placeOf.get(node)!,
            op: node.op.name,
            entry: call?.kernel ?? "cpu",
            microseconds: 1000 * (now - last),
          });
          last = now;
        });
        return times;
      });
    },
    dispose() {
      disposed = true;
      queue.soon(release);
    },
  };
}

/** A view of a tensor's elements; stale once the memory has grown. */
export function viewOf(
  device: WasmDevice,
  { dtype, shape }: Pick<Value, "dtype" | "shape">,
  address: number,
): NumericArray {
  const { buffer } = device.memory;
  const length = sizeOf(shape);
  if (dtype === "i32") return new Int32Array(buffer, address, length);
  if (dtype === "u32") return new Uint32Array(buffer, address, length);
  return new Float32Array(buffer, address, length);
}
