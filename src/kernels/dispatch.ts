import { bytesPerElement, type DType, type FloatDType } from "../core/dtype.ts";
import type { SHADERS } from "./shaders.gen.ts";
import type { Traits } from "./traits.ts";

/** The path of a shader under shaders/, without ".wgsl". */
export type ShaderName = keyof typeof SHADERS;

/** WGSL text that is not in shaders/: of an op of one's own. Its name is what errors and GPU debuggers call it. */
export interface Wgsl {
  readonly name: string;
  readonly code: string;
}

export type Shader = ShaderName | Wgsl;

/** What a shader may have to enable, besides f16, which is seen from its types. */
export type Extension = "subgroups" | "subgroup_size_control" | "chromium_experimental_subgroup_matrix";

/** A stretch of a tensor, in elements from its start: for tensors that no single binding may cover. */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

/** One entry of bind group 0; its place in `Dispatch.bind` is its `@binding` number. */
export interface Binding {
  /** The name of an input, output or scratch tensor of the op. */
  readonly tensor: string;
  /** "read" is `var<storage, read>`, "write" is `var<storage, read_write>`. */
  readonly access: "read" | "write";
  readonly span?: Span;
}

/** What one element of a binding is, or 4 neighbours; or 8 of f16, two in a word, or 4 or 8 of 8 bits, four in a word. */
export type StoredType = FloatDType | `vec4<${FloatDType}>` | "vec4<u32>" | "vec2<u32>" | "u32";

/** The type of a binding whose elements are taken `pack` at a time. */
export function storedType(dtype: DType, pack: 1 | 4): StoredType {
  const scalar = dtype === "f16" ? "f16" : "f32";
  return pack === 4 ? `vec4<${scalar}>` : scalar;
}

/** The library that stores results of this type: `Stored` and `stored`, which rounds. */
export function storeShader(dtype: DType, pack: 1 | 4): ShaderName {
  return `lib/store_${dtype === "f16" ? "f16" : "f32"}x${pack}`;
}

/** One dispatch of one entry point, as plain data. */
export interface Dispatch {
  /** Shaders, or texts of one's own, joined in this order by plain concatenation; libraries first. */
  readonly shader: readonly Shader[];
  readonly entry: string;
  /** WGSL extensions that the shaders use; the op checks in the traits that the adapter has them. */
  readonly enable?: readonly Extension[];
  /**
   * Numbers that the shaders read while they run, by name: what their `struct Uniforms` lists. Sizes go here, so that
   * tensors of all sizes share a pipeline.
   */
  readonly uniforms?: Readonly<Record<string, number>>;
  /** WGSL `override` values: what changes the code itself. Each combination is a pipeline of its own. */
  readonly constants?: Readonly<Record<string, number>>;
  /** `alias` lines put before the shaders: the types of tensors that may be f16, by the names that the shaders use. */
  readonly types?: Readonly<Record<string, StoredType>>;
  /** `const` lines put before the shaders, for what WGSL wants to be const: sizes of arrays in registers. */
  readonly sizes?: Readonly<Record<string, number>>;
  /**
   * Invocations that each subgroup is to have, where the adapter lets a kernel say so. It must be a power of 2 that divides the
   * workgroup's first dimension, between the adapter's least and most.
   */
  readonly subgroupSize?: number | undefined;
  readonly bind: readonly Binding[];
  /** Workgroups in x, y, z. */
  readonly grid: readonly [number, number, number];
  /**
   * The variant of an op, "matmul staged64", where the op chose it by itself: if it does not compile, it joins `Traits.without` and
   * the op is asked again.
   */
  readonly variant?: string | undefined;
}

/** `dispatches` as those of a variant that an op chose by itself. */
export function ofVariant(variant: string, dispatches: readonly Dispatch[]): Dispatch[] {
  return dispatches.map((dispatch) => ({ ...dispatch, variant }));
}

/** The same with other names of tensors. */
export function renamed(dispatches: readonly Dispatch[], names: Readonly<Record<string, string>>): Dispatch[] {
  const rename = (binding: Binding): Binding => ({ ...binding, tensor: names[binding.tensor] ?? binding.tensor });
  return dispatches.map((dispatch) => ({ ...dispatch, bind: dispatch.bind.map(rename) }));
}

/** Whether a variant is a choice: it has not failed to compile. */
export function compiles(variant: string, { without }: Traits): boolean {
  return !without?.includes(variant);
}

/** What a kernel that holds much in registers asks for, whose workgroups have so many invocations in their first dimension. */
export function roomy(invocations: number, { roomySubgroup }: Traits): Pick<Dispatch, "subgroupSize"> {
  return roomySubgroup && invocations % roomySubgroup === 0 ? { subgroupSize: roomySubgroup } : {};
}

/** A tensor that lives only within one op, between its dispatches. */
export interface Scratch {
  readonly dtype: DType;
  readonly length: number;
}

/** Binds an input, or a part of it, for reading. */
export function read(tensor: string, span?: Span): Binding {
  return span ? { tensor, access: "read", span } : { tensor, access: "read" };
}

/** Binds an output, or a part of it, for writing. */
export function write(tensor: string, span?: Span): Binding {
  return span ? { tensor, access: "write", span } : { tensor, access: "write" };
}

/**
 * Workgroups for `count` of them in a row, folded into y where x would pass the limit.
 * Shaders recover the number with `linear_group` of lib/grid.wgsl and guard against the overhang.
 */
export function gridOf(count: number, traits: Traits): [number, number, number] {
  const limit = traits.maxGroupsPerDimension;
  if (count <= limit) return [count, 1, 1];
  const y = Math.ceil(count / limit);
  return [Math.ceil(count / y), y, 1];
}

/** The grid for one invocation an element in workgroups of `workgroupSize`. */
export function grid1d(elements: number, workgroupSize: number, traits: Traits): [number, number, number] {
  return gridOf(Math.ceil(elements / workgroupSize), traits);
}

/**
 * Cuts `length` elements into spans that one binding may cover, at multiples of `unit` elements (a row)
 * and of the offset alignment, in tensors of each of these types. Most tensors give one span.
 */
export function spansOf(length: number, traits: Traits, unit = 1, dtypes: readonly DType[] = ["f32"]): Span[] {
  const bytes = dtypes.map(bytesPerElement);
  const most = Math.floor(traits.maxBindingBytes / Math.max(...bytes));
  if (length <= most) return length === 0 ? [] : [{ offset: 0, length }];
  const aligned = leastCommonMultiple(unit, Math.max(1, traits.offsetAlignment / Math.min(...bytes)));
  const step = Math.floor(most / aligned) * aligned;
  if (step === 0)
    throw new Error(`a row of ${unit} elements does not fit a binding of ${traits.maxBindingBytes} bytes`);
  const spans: Span[] = [];
  for (let offset = 0; offset < length; offset += step) spans.push({ offset, length: Math.min(step, length - offset) });
  return spans;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
