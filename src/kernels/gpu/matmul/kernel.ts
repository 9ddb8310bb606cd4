import type { FloatDType, Format } from "../../../core/dtype.ts";
import {
  type Binding,
  type Dispatch,
  read,
  type ShaderName,
  type Span,
  type StoredType,
  storedType,
  storeShader,
  write,
} from "../../dispatch.ts";
import type { Activation, ProductTypes } from "../../product.ts";
import type { Access } from "./access.ts";
import type { MatmulVariant } from "./variants.ts";

/** What is done to a product before it is stored. */
export interface Finish {
  readonly bias: boolean;
  readonly residual: boolean;
  /** y = y + product; excludes the others. */
  readonly into: boolean;
  readonly activation: Activation;
  /** What the activation is of is stored, too, as x. */
  readonly keeps?: boolean;
  /** y = activation'(slope) product, where without it it is activation(product). */
  readonly slope?: boolean;
  /** y = residual + dropout(product), whatever has been added to it; the residual is there. */
  readonly drop?: { readonly rate: number; readonly stream: number } | undefined;
}

export const PLAIN: Finish = { bias: false, residual: false, into: false, activation: "linear" };

export interface Ending {
  readonly shaders: readonly ShaderName[];
  /** How y is stored: goes before the shader that has y. */
  readonly store: readonly ShaderName[];
  readonly types: NonNullable<Dispatch["types"]>;
  readonly constants: Readonly<Record<string, number>>;
  /** Bindings after y's. */
  readonly bind: readonly Binding[];
  /** The numbers of y's binding and of those after it, when y's is `at`. */
  places(at: number): Readonly<Record<string, number>>;
}

/** The last step of a kernel: what is done to a sum before it is stored; `span` is what is bound of y. */
export function endingOf(
  finish: Finish,
  span: Span | undefined,
  pack: 1 | 4,
  types: Pick<ProductTypes, "y" | "residual" | "slope">,
): Ending {
  const { into, bias, residual, drop } = finish;
  const names = into ? [] : [...(bias ? ["bias"] : []), ...(residual && !drop ? ["residual"] : [])];
  const suffix = into ? "into" : names.join("_") || "plain";
  const plus = `matmul/plus_${suffix}` as ShaderName;
  const linear = finish.activation === "linear";
  const last = finish.keeps ? "gelu_kept" : finish.slope ? "gelu_slope" : "gelu";
  const more = [
    ...(finish.keeps ? [write("x", span)] : []),
    ...(finish.slope ? [read("slope", span)] : []),
    ...(drop ? [read("residual", span), read("step")] : []),
  ];
  const activated = [`lib/pack${pack}`, "lib/gelu", plus, `matmul/finish_${last}`] as const;
  const drops = `matmul/gpu/drops_${pack === 4 ? "vec4" : "scalar"}` as const;
  const dropped = ["lib/philox", "lib/step", plus, drops, "matmul/gpu/finish_dropped"] as const;
  return {
    store: [storeShader(types.y, pack)],
    types: {
      ...(residual && (drop || !into) ? { R: storedType(types.residual ?? "f32", pack) } : {}),
      ...(finish.slope ? { S: storedType(types.slope ?? "f32", pack) } : {}),
    },
    shaders: drop ? dropped : linear ? [plus, "matmul/finish_linear"] : activated,
    constants: linear ? {} : { EXACT: Number(finish.activation === "gelu") },
    bind: [...names.map((name) => read(name, name === "residual" ? span : undefined)), ...more],
    places: (at) => {
      const bound = ["y", ...names, ...more.map(({ tensor }) => tensor)];
      return Object.fromEntries(bound.map((name, i) => [name.toUpperCase(), at + i]));
    },
  };
}

/** The pipeline of a product. */
export function kernelOf(
  variant: MatmulVariant,
  access: Access,
  ending: Ending,
  types: ProductTypes,
  { K, folded }: { readonly K: number; readonly folded: boolean },
): Omit<Dispatch, "bind" | "grid" | "uniforms"> {
  const component = variant.types?.Component;
  // An operand that is read one by one watches K anyhow: it needs no pipeline of its own where K is whole.
  const whole = K % 4 === 0 && access.vectors;
  return {
    entry: "matmul",
    ...(variant.enable ? { enable: variant.enable } : {}),
    ...(variant.subgroupSize ? { subgroupSize: variant.subgroupSize } : {}),
    shader: [
      "lib/grid",
      "matmul/sizes",
      "matmul/work",
      ...ending.store,
      access.y,
      ...ending.shaders,
      ...(component && variant.reads === "fetches" ? TAKEN : []),
      ...access.operands,
      ...heldBy(variant, types),
      ...variant.library,
      ...matricesOf(variant, access),
      variant.shader,
    ],
    constants: {
      K_WHOLE: Number(whole),
      ...variant.constants,
      ...ending.constants,
      ...(variant.reads === "elements" ? {} : { FOLDED: Number(folded) }),
    },
    types: {
      A: storedType(types.a, access.packA),
      B: storedB(types.b, access),
      ...ending.types,
      ...variant.types,
      ...(component
        ? {
            ...{ FetchedA: fetchedAs(types.a, variant), TakenA: storedType(fetchedAs(types.a, variant), access.packA) },
            ...{
              FetchedB: fetchedAs(floatOf(types.b), variant),
              TakenB: storedType(fetchedAs(floatOf(types.b), variant), access.packB === 1 ? 1 : 4),
            },
          }
        : {}),
    },
    sizes: {
      ...ending.places(2),
      ...variant.sizes,
      ...(variant.reads === "fetches"
        ? { A_ALONG_K: Number(access.alongK.a), B_ALONG_K: Number(access.alongK.b) }
        : {}),
    },
  };
}

/** What a load of b gives. */
function storedB(b: Format, { packB }: Access): StoredType {
  if (b === "i8") return packB === 8 ? "vec2<u32>" : "u32";
  return packB === 8 ? "vec4<u32>" : storedType(b, packB);
}

/** Whole numbers are not for those who ask for blocks ahead: `fitVariant` sees to it. */
function floatOf(format: Format): FloatDType {
  if (format === "i8") throw new Error("matmul: a b of i8 is read 4 or 8 elements at a time");
  return format;
}

const TAKEN = ["matmul/gpu/take_a", "matmul/gpu/take_b", "matmul/gpu/ahead"] as const;

/**
 * What blocks are while they are on their way: what is computed with, but that f32 is rounded for units that take f16 only when it has
 * come, since who would round it at once would wait for it.
 */
function fetchedAs(stored: FloatDType, { types, matrices }: MatmulVariant): FloatDType {
  const component = types?.Component ?? "f32";
  return matrices && stored === "f32" ? "f32" : component;
}

/** How kernels of panels hold blocks, and how those become what is computed with. */
function heldBy(variant: MatmulVariant, { a, b }: ProductTypes): ShaderName[] {
  const component = variant.types?.Component;
  if (!component || variant.matrices?.from !== "panels") return [];
  const [fetchedA, fetchedB] = [fetchedAs(a, variant), fetchedAs(floatOf(b), variant)];
  const narrows = component === "f16" && (fetchedA === "f32" || fetchedB === "f32");
  const how = component === "f16" ? "narrow" : "keep";
  return [
    ...(narrows ? (["matmul/gpu/narrow"] as const) : []),
    `matmul/gpu/held_a_${fetchedA}`,
    ...(fetchedA === "f32" ? ([`matmul/gpu/${how}_a`] as const) : []),
    `matmul/gpu/held_b_${fetchedB}`,
    ...(fetchedB === "f32" ? ([`matmul/gpu/${how}_b`] as const) : []),
  ];
}

/** Where matrices of a and of b come from, and how those lie there. */
function matricesOf({ matrices }: MatmulVariant, { alongK }: Access): ShaderName[] {
  if (!matrices) return [];
  const form = matrices.from === "panels" ? "matmul/gpu/panels" : "matmul/gpu/direct";
  return [
    `${form}_a_${alongK.a || matrices.turned ? "rows" : "columns"}`,
    `${form}_b_${alongK.b || matrices.turned ? "columns" : "rows"}`,
  ];
}
