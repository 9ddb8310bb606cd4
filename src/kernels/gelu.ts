import { bytesPerElement } from "../core/dtype.ts";
import { normalCdf } from "../core/erf.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { defineOp, expectFloat, f16, f32, type OpCase, shapeError, type Value } from "./op.ts";

/** "tanh": GPT-2's gelu_new; "none": the exact function, as nanoGPT trains with. PyTorch's names. */
export interface GeluAttrs {
  readonly approximate: "tanh" | "none";
}

const DEFAULTS: GeluAttrs = { approximate: "tanh" };

/** y = x Phi(x), or its tanh approximation (Hendrycks & Gimpel 2016). x, y: any shape, both f32 or both f16. */
export const geluOp = defineOp({
  name: "gelu",
  inputs: ["x"],
  outputs: ["y"],
  halves: ["x"],
  attrs: DEFAULTS,
  shapes: ({ x }) => ({ y: { dtype: expectFloat("gelu", "x", x, x.shape), shape: x.shape } }),
  cpu: ({ x }, { y }, { approximate }) => {
    for (let i = 0; i < y.data.length; i++) y.data[i] = geluAt(x.data[i]!, approximate);
  },
  vjp: ({ x }, _outputs, { y: dy }, attrs) => (dy ? { x: geluBackwardOp.apply({ x, dy }, attrs).dx } : {}),
  cost: ({ x }) => ({ flops: 12 * sizeOf(x.shape), bytes: 2 * bytesPerElement(x.dtype) * sizeOf(x.shape) }),
  cases: [
    ...casesOf((shape) => ({ x: { ...f32(shape), scale: 2 } })),
    ...casesOf((shape) => ({ x: { ...f16(shape), scale: 2 } })),
  ],
});

/** dx = gelu'(x) dy. One shape; x and dx are both f32 or both f16, dy either. */
export const geluBackwardOp = defineOp({
  name: "geluBackward",
  inputs: ["x", "dy"],
  outputs: ["dx"],
  halves: ["x", "dy"],
  attrs: DEFAULTS,
  shapes: ({ x, dy }) => {
    if (!sameShape(x.shape, dy.shape))
      shapeError("geluBackward", `shapes differ, x ${formatShape(x.shape)}, dy ${formatShape(dy.shape)}`);
    expectFloat("geluBackward", "dy", dy, x.shape);
    return { dx: { dtype: expectFloat("geluBackward", "x", x, x.shape), shape: x.shape } };
  },
  cpu: ({ x, dy }, { dx }, { approximate }) => {
    for (let i = 0; i < dx.data.length; i++) dx.data[i] = geluSlopeAt(x.data[i]!, approximate) * dy.data[i]!;
  },
  cost: ({ x, dy }) => ({
    flops: 20 * sizeOf(x.shape),
    bytes: (2 * bytesPerElement(x.dtype) + bytesPerElement(dy.dtype)) * sizeOf(x.shape),
  }),
  cases: [
    ...casesOf((shape) => ({ x: { ...f32(shape), scale: 2 }, dy: f32(shape) })),
    ...casesOf((shape) => ({ x: { ...f16(shape), scale: 2 }, dy: f16(shape) })),
  ],
});

/** GELU of each element: its tanh approximation, as GPT-2 has it, unless `approximate` is "none". */
export function gelu(x: Value, attrs: Partial<GeluAttrs> = {}): Value {
  return geluOp.apply({ x }, attrs).y;
}

const TANH_SCALE = Math.sqrt(2 / Math.PI);

export function geluAt(x: number, approximate: GeluAttrs["approximate"]): number {
  if (approximate === "none") return x * normalCdf(x);
  return 0.5 * x * (1 + Math.tanh(TANH_SCALE * (x + 0.044715 * x ** 3)));
}

export function geluSlopeAt(x: number, approximate: GeluAttrs["approximate"]): number {
  if (approximate === "none") return normalCdf(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
  const t = Math.tanh(TANH_SCALE * (x + 0.044715 * x ** 3));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * TANH_SCALE * (1 + 3 * 0.044715 * x * x);
}

function casesOf(inputsOf: (shape: readonly number[]) => OpCase["inputs"]): OpCase[] {
  return [
    { inputs: inputsOf([3, 7]), attrs: { approximate: "tanh" } },
    { inputs: inputsOf([4, 8]), attrs: { approximate: "tanh" } },
    { inputs: inputsOf([3, 7]), attrs: { approximate: "none" } },
    { inputs: inputsOf([4, 8]), attrs: { approximate: "none" } },
  ];
}
