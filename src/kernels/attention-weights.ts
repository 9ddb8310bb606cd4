import { defineOp, expectType, f32, type OpCase, shapeError, type TensorType, type Value } from "./op.ts";

/**
 * The probabilities of an attention that was computed, p_ij = exp(q_i . k_j / sqrt(D) - logSumExp_i) for j <= i, for whoever wants to see
 * them: attention itself keeps none. qkv: [B T, 3 C] and lengths: u32 [B] as `attentionOp` had them; logSumExp: [B H T], which it gave.
 * weights: [B H T, T]; 0 for keys behind their row, and in rows behind a length.
 */
export const attentionWeightsOp = defineOp({
  name: "attentionWeights",
  inputs: ["qkv", "lengths", "logSumExp"],
  outputs: ["weights"],
  attrs: { batch: 1, heads: 1 },
  shapes: ({ qkv, lengths, logSumExp }, attrs) => {
    const { B, T, H } = sizesOf(qkv, attrs);
    expectType("attentionWeights", "qkv", qkv, "f32", [-1, -1]);
    expectType("attentionWeights", "lengths", lengths, "u32", [B]);
    expectType("attentionWeights", "logSumExp", logSumExp, "f32", [B * H * T]);
    return { weights: f32([B * H * T, T]) };
  },
  cpu: ({ qkv, lengths, logSumExp }, { weights }, attrs) => {
    const { B, T, H, D, C, scale } = sizesOf(qkv, attrs);
    for (let b = 0; b < B; b++)
      for (let h = 0; h < H; h++)
        for (let i = 0; i < Math.min(lengths.data[b]!, T); i++) {
          const row = (b * H + h) * T + i;
          for (let j = 0; j <= i; j++) {
            const [q, k] = [(b * T + i) * 3 * C + h * D, (b * T + j) * 3 * C + C + h * D];
            let dot = 0;
            for (let d = 0; d < D; d++) dot += qkv.data[q + d]! * qkv.data[k + d]!;
            weights.data[row * T + j] = Math.exp(dot * scale - logSumExp.data[row]!);
          }
        }
  },
  cost: ({ qkv }, _outputs, attrs) => {
    const { B, T, H, D } = sizesOf(qkv, attrs);
    return { flops: B * H * T * (T + 1) * D, bytes: 8 * B * T * H * D + 4 * B * H * T * T };
  },
  cases: [weightsCase({ batch: 1, heads: 1 }, [5, 12], [5]), weightsCase({ batch: 2, heads: 2 }, [6, 12], [3, 1])],
});

export function sizesOf(
  { shape }: TensorType,
  { batch: B, heads: H }: { readonly batch: number; readonly heads: number },
) {
  const [rows = 0, columns = 0] = shape;
  const [T, C] = [rows / B, columns / 3];
  const D = C / H;
  if (!Number.isInteger(T) || !Number.isInteger(C) || !Number.isInteger(D))
    shapeError("attentionWeights", `qkv [${rows}, ${columns}] is not [batch T, 3 heads D] with batch ${B}, heads ${H}`);
  return { B, T, H, D, C, scale: 1 / Math.sqrt(D) };
}

/** A check case; its logSumExp is of no attention, and any will do. */
export function weightsCase(
  attrs: { readonly batch: number; readonly heads: number },
  qkv: readonly [rows: number, columns: number],
  lengths: readonly number[],
): OpCase {
  return {
    inputs: {
      qkv: f32(qkv),
      lengths: { dtype: "u32", shape: [lengths.length], values: lengths },
      logSumExp: f32([qkv[0] * attrs.heads]),
    },
    attrs,
  };
}

/** See `attentionWeightsOp`. */
export function attentionWeights(
  qkv: Value,
  lengths: Value,
  logSumExp: Value,
  attrs: { readonly batch: number; readonly heads: number },
): Value {
  return attentionWeightsOp.apply({ qkv, lengths, logSumExp }, attrs).weights;
}
