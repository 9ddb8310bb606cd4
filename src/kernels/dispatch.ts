import type { DType } from "../core/dtype.ts";
import { BYTES_PER_ELEMENT } from "../core/dtype.ts";
import { SHADERS } from "./shaders.gen.ts";
import type { Traits } from "./traits.ts";

/** The path of a shader under shaders/, without ".wgsl". */
export type ShaderName = keyof typeof SHADERS;

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

/** One dispatch of one entry point, as plain data. */
export interface Dispatch {
  /** Shaders joined in this order by plain concatenation; libraries first. */
  readonly shader: readonly ShaderName[];
  readonly entry: string;
  /** WGSL extensions that the shaders use; the op checks in the traits that the adapter has them. */
  readonly enable?: readonly ("f16" | "subgroups")[];
  /** WGSL `override` values. */
  readonly constants: Readonly<Record<string, number>>;
  /** `const` lines put before the shaders, for what WGSL wants to be const: sizes of arrays in registers. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly bind: readonly Binding[];
  /** Workgroups in x, y, z. */
  readonly grid: readonly [number, number, number];
}

/** A tensor that lives only within one op, between its dispatches. */
export interface Scratch {
  readonly dtype: DType;
  readonly length: number;
}

export function read(tensor: string, span?: Span): Binding {
  return span ? { tensor, access: "read", span } : { tensor, access: "read" };
}

export function write(tensor: string, span?: Span): Binding {
  return span ? { tensor, access: "write", span } : { tensor, access: "write" };
}

/** The WGSL text of a dispatch: extensions, sizes, then its shaders. */
export function shaderSource(dispatch: Pick<Dispatch, "shader" | "sizes" | "enable">): string {
  const enables = (dispatch.enable ?? []).map((name) => `enable ${name};\n`);
  const sizes = Object.entries(dispatch.sizes ?? {}).map(([name, value]) => `const ${name}: u32 = ${value}u;\n`);
  return [...enables, ...sizes, ...dispatch.shader.map((name) => SHADERS[name])].join("");
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
 * and of the offset alignment. Most tensors give one span.
 */
export function spansOf(length: number, traits: Traits, unit = 1): Span[] {
  const most = Math.floor(traits.maxBindingBytes / BYTES_PER_ELEMENT);
  if (length <= most) return length === 0 ? [] : [{ offset: 0, length }];
  const aligned = leastCommonMultiple(unit, Math.max(1, traits.offsetAlignment / BYTES_PER_ELEMENT));
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
