import { type DType, type FloatDType, isFloat, type NumericArray } from "../core/dtype.ts";
import { formatShape, formatType, type Shape, sameShape } from "../core/shape.ts";
import type { Dispatch, Scratch } from "./dispatch.ts";
import type { Activation } from "./product.ts";
import type { Traits } from "./traits.ts";
import type { WasmWork } from "./wasm.ts";

/** What is known of a tensor before it has contents. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A tensor of a tape: symbolic, it has a type but no contents until an executor runs the tape. */
export interface Value extends TensorType {
  readonly id: number;
  readonly recorder: Recorder;
}

/** What an op is recorded into; `autograd/tape.ts` is the one implementation. */
export interface Recorder {
  record(op: AnyOp, inputs: Partial<Record<string, Value>>, attrs: object): Record<string, Value>;
  /** All that the op gives which made this value, by name; nothing where none did. */
  siblings(value: Value): Readonly<Record<string, Value>>;
  /** Names the part of the program that begins here, for whoever reads it or recomputes it. */
  section(name: string): void;
}

/** Contents on the CPU reference. "f32" tensors are Float32Array or Float64Array, as the executor's precision says. */
export interface CpuTensor extends TensorType {
  readonly data: NumericArray;
}

type Named<Names extends string, T> = Readonly<Record<Names, T>>;
type Given<I extends string, Q extends string, T> = Named<I, T> & Readonly<Partial<Record<Q, T>>>;

/** What a gradient rule is told besides values: see `OpSpec.vjp`. */
export interface VjpContext<Names extends string> {
  /** Whether the gradient of this input is wanted at all. */
  needs(input: Names): boolean;
  /**
   * Takes over the gradient that this input has so far. The gradient returned for it must then include it:
   * this is how accumulation is fused into a kernel instead of costing an `add`.
   */
  accumulated(input: Names): Value | undefined;
  /**
   * What this input is an activation of, where the op that made it has both (`OpSpec.activates`): the gradient returned for the input
   * must then be that of x. So no pass has to go through the activation.
   */
  before(input: Names): { readonly x: Value; readonly activation: Activation } | undefined;
}

/** How to make one input of a check case; see `OpCase`. */
export interface CaseInput extends TensorType {
  /** Values drawn: normal times `scale` (f32), or whole numbers in [low, high) (i32, u32), or exactly `values`. */
  readonly scale?: number;
  readonly low?: number;
  readonly high?: number;
  readonly values?: readonly number[];
}

/** Small shapes on which `gpt2 gradcheck` and the tests check an op: both steps of the two-step truth. */
export interface OpCase {
  readonly inputs: Readonly<Record<string, CaseInput>>;
  readonly attrs?: object;
}

/** What a GPU does for an op. */
export interface GpuKernel<I extends string, Q extends string, O extends string, A extends object> {
  /** Dispatches, in order. Each sees what the ones before it wrote. */
  gpu(inputs: Given<I, Q, TensorType>, outputs: Named<O, TensorType>, attrs: A, traits: Traits): readonly Dispatch[];
  /** Tensors that live only between this op's dispatches, by name. */
  scratch?(inputs: Given<I, Q, TensorType>, attrs: A, traits: Traits): Readonly<Record<string, Scratch>>;
}

/**
 * An op: everything there is to know of it, in one object, in one file. I, Q, O: names of inputs, optional ones, outputs. Ops of ours leave
 * out their kernels, `gpu`, `scratch` and `wasm`: those are in `gpu/` and `wasm/`, and load with the executor that wants them.
 */
export interface OpSpec<I extends string, Q extends string, O extends string, A extends object>
  extends Partial<GpuKernel<I, Q, O, A>> {
  readonly name: string;
  readonly inputs: readonly I[];
  readonly optional?: readonly Q[];
  readonly outputs: readonly O[];
  /** Outputs that only the gradient uses (a log-sum-exp, a row's mean): nothing is differentiated through them. */
  readonly auxiliary?: readonly O[];
  /** Default attributes; their type is the attributes' type. */
  readonly attrs?: A;
  /** Inputs that may be f16; the others are refused while tracing where they are. */
  readonly halves?: readonly (I | Q)[];
  /** Its tensors in f16 are words to every kernel, two elements in each, so that an adapter need not have f16. */
  readonly words?: boolean;
  /** Checks the input types (with `shapeError`) and gives the output types. Runs while tracing. */
  shapes(inputs: Given<I, Q, TensorType>, attrs: A): Named<O, TensorType>;
  /** The reference: the naive loop, in the executor's precision. Outputs arrive zeroed unless they alias an input. */
  cpu(inputs: Given<I, Q, CpuTensor>, outputs: Named<O, CpuTensor>, attrs: A): void;
  /** Calls of WebAssembly, in f32. Left out, or undefined for what it is asked: the `cpu` loop runs there. */
  wasm?(inputs: Given<I, Q, TensorType>, outputs: Named<O, TensorType>, attrs: A): WasmWork | undefined;
  /**
   * Output -> input whose storage it takes over: the op updates that input, which nothing may use afterwards.
   * An optional input that is absent is ignored. Kernels bind the output only.
   */
  readonly updates?: Readonly<Partial<Record<O, I | Q>>>;
  /** Output -> output that it is an activation of, the one that the attribute `activation` names: see `VjpContext.before`. */
  readonly activates?: Readonly<Partial<Record<O, O>>>;
  /** Gradients of inputs from gradients of outputs, as more ops. Left out: the op has no gradient. */
  vjp?(
    inputs: Given<I, Q, Value>,
    outputs: Named<O, Value>,
    grads: Readonly<Partial<Record<O, Value>>>,
    attrs: A,
    context: VjpContext<I | Q>,
  ): Readonly<Partial<Record<I | Q, Value>>>;
  /** The least work that the op can do: floating-point operations and bytes moved to and from memory. */
  cost(inputs: Given<I, Q, TensorType>, outputs: Named<O, TensorType>, attrs: A): { flops: number; bytes: number };
  readonly cases: readonly OpCase[];
}

/** A defined op: its spec, and `apply`, which records it on the tape of its inputs. */
export interface Op<I extends string, Q extends string, O extends string, A extends object> extends OpSpec<I, Q, O, A> {
  apply(inputs: Given<I, Q | never, Value> | InputsOf<I, Q>, attrs?: Partial<A>): Named<O, Value>;
}

type InputsOf<I extends string, Q extends string> = Readonly<Record<I, Value>> &
  Readonly<Partial<Record<Q, Value | undefined>>>;

/** The same of an op whose names are not known to the compiler. */
export interface AnyGpuKernel {
  gpu(
    inputs: Record<string, TensorType>,
    outputs: Record<string, TensorType>,
    attrs: object,
    traits: Traits,
  ): readonly Dispatch[];
  scratch?(inputs: Record<string, TensorType>, attrs: object, traits: Traits): Readonly<Record<string, Scratch>>;
}

/** An op whose names are not known to the compiler: what the tape and the executors handle. */
export interface AnyOp extends Partial<AnyGpuKernel> {
  readonly name: string;
  readonly inputs: readonly string[];
  readonly optional?: readonly string[];
  readonly outputs: readonly string[];
  readonly auxiliary?: readonly string[];
  readonly attrs?: object;
  readonly halves?: readonly string[];
  readonly words?: boolean;
  readonly updates?: Readonly<Record<string, string | undefined>>;
  readonly activates?: Readonly<Record<string, string | undefined>>;
  readonly cases: readonly OpCase[];
  shapes(inputs: Record<string, TensorType>, attrs: object): Record<string, TensorType>;
  cpu(inputs: Record<string, CpuTensor>, outputs: Record<string, CpuTensor>, attrs: object): void;
  wasm?(inputs: Record<string, TensorType>, outputs: Record<string, TensorType>, attrs: object): WasmWork | undefined;
  vjp?(
    inputs: Record<string, Value>,
    outputs: Record<string, Value>,
    grads: Partial<Record<string, Value>>,
    attrs: object,
    context: VjpContext<string>,
  ): Readonly<Partial<Record<string, Value>>>;
  cost(
    inputs: Record<string, TensorType>,
    outputs: Record<string, TensorType>,
    attrs: object,
  ): { flops: number; bytes: number };
}

/** Makes an op of its spec. */
export function defineOp<
  const I extends string,
  const O extends string,
  const Q extends string = never,
  A extends object = Record<never, never>,
>(spec: OpSpec<I, Q, O, A>): Op<I, Q, O, A> {
  const op: Op<I, Q, O, A> = {
    ...spec,
    apply(inputs, attrs) {
      const first = Object.values<Value | undefined>(inputs ?? {}).find((value) => value !== undefined);
      if (!first) throw new Error(`${spec.name}: needs at least one input`);
      const recorded = first.recorder.record(op as unknown as AnyOp, inputs, { ...spec.attrs, ...attrs });
      return recorded as Named<O, Value>;
    },
  };
  return op;
}

/** Throws an error that names the op, what it got and what it wanted. */
export function shapeError(op: string, message: string): never {
  throw new Error(`${op}: ${message}`);
}

/** Checks that a tensor has this type; `wanted` may leave a dimension open with -1. */
export function expectType(op: string, name: string, got: TensorType, dtype: DType, wanted: Shape): void {
  const open = wanted.length === got.shape.length && wanted.every((d, i) => d === -1 || d === got.shape[i]);
  if (got.dtype !== dtype || !(open || sameShape(got.shape, wanted))) {
    const shape = formatShape(wanted).replaceAll("-1", "any");
    shapeError(op, `${name} is ${formatType(got)}, wanted ${dtype} ${shape}`);
  }
}

/** Checks that a tensor is f32 or f16 and has this shape, and gives its element type. */
export function expectFloat(op: string, name: string, got: TensorType, wanted: Shape): FloatDType {
  const dtype = isFloat(got.dtype) ? got.dtype : "f32";
  expectType(op, name, got, dtype, wanted);
  return dtype;
}

/** f32 tensors are what nearly every op makes. */
export function f32(shape: Shape): TensorType {
  return { dtype: "f32", shape };
}

/** f16 tensors are what mixed precision keeps between ops, which compute in f32. */
export function f16(shape: Shape): TensorType {
  return { dtype: "f16", shape };
}
