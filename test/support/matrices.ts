import type { Gpu } from "../../src/gpu/device.ts";
import { withShaders } from "./device.ts";

/**
 * `gpu` as if its subgroups, of `lanes` invocations, multiplied matrices: no software driver has that, so the shaders' types and
 * builtins are rewritten as plain WGSL of the same meaning. A left or right matrix is where it lies in workgroup memory, which
 * does not change before it is used; a sum is a stretch of more workgroup memory, of whose cells each invocation computes its
 * own. All else, every place and stride, is computed by the shader under test.
 */
export function withMatrices(gpu: Gpu, lanes: number): Gpu {
  return withShaders(gpu, (code) => emulated(code, lanes));
}

const EXTENSION = "enable chromium_experimental_subgroup_matrix;\n";

function emulated(code: string, lanes: number): string {
  if (!code.includes(EXTENSION)) return code;
  let sums = 0;
  const rewritten = code
    .replace(EXTENSION, "")
    .replace(/alias (Left|Right) = subgroup_matrix_(?:left|right)<.*>;/g, "struct $1 { at: u32, stride: u32 }")
    .replace(/alias Sum = subgroup_matrix_result<.*>;/, "struct Sum { at: u32 }")
    .replace(/ = Sum\(\);/g, () => ` = emulated_sum(unit * SUMS_M * SUMS_N + ${sums++}u);`)
    .replace(/subgroupMatrixLoad<Left, row_major>\(&staged_a, /g, "Left(")
    .replace(/subgroupMatrixLoad<Right, row_major>\(&staged_b, /g, "Right(")
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "emulated_multiply(")
    .replace("k < DEPTH", "k < as_data(DEPTH)")
    .replace(/subgroupMatrixStore<row_major>\(&finished, /g, "emulated_store(")
    .replace("  let tile = tile_of(group, groups);\n", "  emulated_lane = lane;\n$&");
  if (/subgroupMatrix|subgroup_matrix/.test(rewritten)) throw new Error("a subgroup matrix builtin is not emulated");
  return rewritten + library(lanes);
}

function library(lanes: number): string {
  return `
// the same number, but not a constant: software drivers write out loops with a constant end, and compile for minutes
fn as_data(end: u32) -> u32 {
  return select(0u, end, u.M > 0u);
}

const LANES = ${lanes}u;
var<private> emulated_lane: u32;
var<workgroup> emulated_sums: array<f32, UNITS * SUMS_M * SUMS_N * CELLS>;

fn emulated_sum(number: u32) -> Sum {
  for (var cell = emulated_lane; cell < as_data(CELLS); cell += LANES) {
    emulated_sums[number * CELLS + cell] = 0.0;
  }
  return Sum(number * CELLS);
}

fn emulated_multiply(left: Left, right: Right, sum: Sum) -> Sum {
  for (var cell = emulated_lane; cell < as_data(CELLS); cell += LANES) {
    let a = left.at + cell / MATRIX_N * left.stride;
    let b = right.at + cell % MATRIX_N;
    var total = emulated_sums[sum.at + cell];
    for (var k = 0u; k < as_data(MATRIX_K); k++) {
      total += f32(staged_a[a + k]) * f32(staged_b[b + k * right.stride]);
    }
    emulated_sums[sum.at + cell] = total;
  }
  return sum;
}

fn emulated_store(offset: u32, sum: Sum, stride: u32) {
  for (var cell = emulated_lane; cell < as_data(CELLS); cell += LANES) {
    finished[offset + cell / MATRIX_N * stride + cell % MATRIX_N] = emulated_sums[sum.at + cell];
  }
}
`;
}
