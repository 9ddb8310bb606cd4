import type { ShaderName } from "../dispatch.ts";
import type { Traits } from "../traits.ts";
import type { Product } from "./product.ts";

/** One way to compute a product. The tuner times those that fit and remembers the fastest for an adapter and shape. */
export interface MatmulVariant {
  readonly name: string;
  readonly shader: ShaderName;
  /** Rows and columns of y that a workgroup makes; naive counts elements instead. */
  readonly tile: readonly [rows: number, columns: number];
  /** Invocations of a workgroup. */
  readonly invocations: number;
  /** The variant's own constants. */
  readonly constants: Readonly<Record<string, number>>;
  /** Operands and result are accessed 4 elements at a time where their rows allow; false: always one by one. */
  readonly vector: boolean;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
}

function registers(rows: number, columns: number, wide: number, high: number): MatmulVariant {
  return {
    name: `registers${rows}x${columns}-${wide}x${high}`,
    shader: `matmul/tile_${rows}x${columns}` as ShaderName,
    tile: [rows * high, columns * wide],
    invocations: wide * high,
    constants: { WIDE: wide, HIGH: high },
    vector: true,
    workgroupBytes: 0,
  };
}

export const matmulVariants: readonly MatmulVariant[] = [
  {
    name: "naive",
    shader: "matmul/naive",
    tile: [1, 64],
    invocations: 64,
    constants: { GROUP: 64 },
    vector: false,
    workgroupBytes: 0,
  },
  registers(8, 4, 8, 1),
  { ...registers(8, 4, 8, 1), name: "registers8x4-scalar", vector: false },
  registers(8, 8, 8, 1),
];

export function variantNamed(name: string): MatmulVariant {
  const found = matmulVariants.find((variant) => variant.name === name);
  if (found) return found;
  throw new Error(`matmul: no variant "${name}"; there are ${matmulVariants.map((v) => v.name).join(", ")}`);
}

/** Whether an adapter can run a variant. */
export function variantFits(variant: MatmulVariant, traits: Traits): boolean {
  return variant.invocations <= traits.maxInvocations && variant.workgroupBytes <= traits.maxWorkgroupBytes;
}

/** What is used where nothing was tuned. */
export function defaultVariant(_product: Product, _traits: Traits): MatmulVariant {
  return variantNamed("registers8x4-8x1");
}

/** Stretches that K is cut into where nothing was tuned: more than one where y alone has too few tiles to fill a GPU. */
export function defaultSplits(_product: Product, _variant: MatmulVariant, _traits: Traits): number {
  return 1;
}
