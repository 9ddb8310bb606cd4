import type { Gpu } from "../../src/gpu/device.ts";
import { withShaders } from "./device.ts";
import { withLanes } from "./subgroups.ts";

/**
 * `gpu` as if its subgroups, of `lanes` invocations, multiplied matrices of 16 x 16 in attention: the types and builtins of
 * shaders/attention/gpu/matrix_*.wgsl are rewritten as plain WGSL of the same meaning. A left or right matrix is where it lies in memory,
 * which does not change before it is used; of a sum each invocation has its own cells. See matrices.ts for products.
 */
export function withAttentionMatrices(gpu: Gpu, lanes: number): Gpu {
  const own = lanes === gpu.info.subgroupMinSize;
  return withShaders(gpu, (code) => (own ? emulated(code, lanes) : withLanes(emulated(code, lanes), lanes)));
}

const EXTENSION = "enable chromium_experimental_subgroup_matrix;\n";
/** What matrices are loaded from, by the number that stands for it. */
const SOURCES = ["qkv", "dy", "staged", "probabilities", "halves"] as const;

function emulated(code: string, lanes: number): string {
  if (!code.includes(EXTENSION) || !code.includes("alias Left = subgroup_matrix_left<f16, 16, 16>;")) return code;
  const place = (name: string, index: string | undefined, at: string): string =>
    `${SOURCES.indexOf(name as "qkv")}u, ${index ?? "0u"}, ${at}`;
  const rewritten = code
    .replace(EXTENSION, "")
    .replace(/alias Left = .*;/, "struct Left { source: u32, matrix: u32, at: u32, stride: u32 }")
    .replace(/alias Right = .*;/, "struct Right { source: u32, matrix: u32, at: u32, stride: u32, along_k: bool }")
    .replace(/alias Sum = .*;/, `struct Sum { cells: array<f32, ${256 / lanes}> }`)
    .replace(
      /let taken = subgroupMatrixLoad<Left, row_major>\(&halves\[(.*)\], 0u, HALF_PITCH\);/,
      "let taken = emulated_taken($1);",
    )
    .replace(
      /subgroupMatrixLoad<Left, row_major>\(&(\w+)(?:\[(.*)\])?, (.*), ([^,]+)\);/g,
      (_, name, index, at, stride) => {
        return `Left(${place(name, index, at)}, ${stride});`;
      },
    )
    .replace(
      /subgroupMatrixLoad<Right, (row|col)_major>\(&(\w+)(?:\[(.*)\])?, (.*), ([^,]+)\);/g,
      (_, major, name, index, at, stride) => {
        return `Right(${place(name, index, at)}, ${stride}, ${major === "col"});`;
      },
    )
    .replace(/subgroupMatrixLoad<Sum, row_major>\(&scores\[(\w+)\], 0u, PITCH\)/, "emulated_sum($1)")
    .replace(/subgroupMatrixStore<row_major>\(&(\w+)\[(.*)\], 0u, (\w+), \w+\);/g, "emulated_store_$1($2, $3);")
    .replace(/subgroupMatrixMultiplyAccumulate\(/g, "emulated_multiply(")
    .replace("@builtin(subgroup_id) unit: u32,", "$& @builtin(subgroup_invocation_id) emulated_own: u32,")
    .replace("  let place = matrix_place(", "  emulated_lane = emulated_own;\n$&");
  if (/subgroupMatrix|subgroup_matrix/.test(rewritten)) throw new Error("a subgroup matrix builtin is not emulated");
  return rewritten + library(rewritten, lanes);
}

function library(code: string, lanes: number): string {
  const reads = SOURCES.map((name, number) => {
    if (!new RegExp(`(Left|Right)\\(${number}u,`).test(code)) return "";
    const place = name === "qkv" || name === "dy" ? `${name}[at]` : `${name}[matrix][at]`;
    return `if (source == ${number}u) { return f32(${place}); }`;
  });
  const slopes = /var<workgroup> slopes:/.test(code)
    ? `
fn emulated_store_slopes(matrix: u32, sum: Sum) {
  for (var i = 0u; i < as_data(${256 / lanes}u); i++) {
    let cell = emulated_lane + i * ${lanes}u;
    slopes[matrix][cell / 16u * PITCH + cell % 16u] = sum.cells[i];
  }
}`
    : "";
  return `
var<private> emulated_lane: u32;

// the same number, but not a constant: software drivers write out loops with a constant end, and compile for minutes
fn as_data(end: u32) -> u32 {
  return select(0u, end, u.T > 0u);
}

fn emulated_element(source: u32, matrix: u32, at: u32) -> f32 {
  ${reads.join("\n  ")}
  if (source == 9u) { return f32(emulated_held[matrix][at]); }
  return 0.0;
}

// what is held stays when the memory that it was taken from has changed
var<private> emulated_held: array<array<f16, 256>, 16>;
var<private> emulated_count: u32;

fn emulated_taken(matrix: u32) -> Left {
  for (var cell = 0u; cell < as_data(256u); cell++) {
    emulated_held[emulated_count][cell] = halves[matrix][cell / 16u * HALF_PITCH + cell % 16u];
  }
  emulated_count++;
  return Left(9u, emulated_count - 1u, 0u, 16u);
}

fn emulated_multiply(a: Left, b: Right, sum: Sum) -> Sum {
  var result = sum;
  for (var i = 0u; i < as_data(${256 / lanes}u); i++) {
    let cell = emulated_lane + i * ${lanes}u;
    var total = 0.0;
    for (var k = 0u; k < as_data(16u); k++) {
      let column = cell % 16u;
      let at = select(k * b.stride + column, column * b.stride + k, b.along_k);
      total += emulated_element(a.source, a.matrix, a.at + cell / 16u * a.stride + k) * emulated_element(b.source, b.matrix, b.at + at);
    }
    result.cells[i] += total;
  }
  return result;
}

fn emulated_sum(matrix: u32) -> Sum {
  var sum: Sum;
  for (var i = 0u; i < as_data(${256 / lanes}u); i++) {
    let cell = emulated_lane + i * ${lanes}u;
    sum.cells[i] = scores[matrix][cell / 16u * PITCH + cell % 16u];
  }
  return sum;
}

fn emulated_store_scores(matrix: u32, sum: Sum) {
  for (var i = 0u; i < as_data(${256 / lanes}u); i++) {
    let cell = emulated_lane + i * ${lanes}u;
    scores[matrix][cell / 16u * PITCH + cell % 16u] = sum.cells[i];
  }
}

fn emulated_store_staged(matrix: u32, copied: Left) {
  for (var i = 0u; i < as_data(${256 / lanes}u); i++) {
    let cell = emulated_lane + i * ${lanes}u;
    staged[matrix][cell / 16u * HALF_PITCH + cell % 16u] =
      f16(emulated_element(copied.source, copied.matrix, copied.at + cell / 16u * copied.stride + cell % 16u));
  }
}
${slopes}
`;
}
